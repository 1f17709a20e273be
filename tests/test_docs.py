"""What is written down is true: README, prompt template and continuous integration agree with the code."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import voxgen
from voxgen.language.builder import build

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def fenced(text: str, kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", text, re.S)


def test_ci_runs_exactly_the_test_command_of_the_readme() -> None:
    commands = [line for block in fenced(README, "sh") for line in block.splitlines() if "pytest" in line]
    assert len(commands) == 1
    line = next(text for text in (ROOT / ".ci" / "run").read_text().splitlines() if "sed -n" in text)
    shell = f'cd {ROOT} && {line} && printf %s "$test_command"'
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=True)
    assert done.stdout == commands[0]


@pytest.mark.parametrize("name", ["README.md", "prompts/scene.md"])
def test_every_scene_that_is_shown_builds_without_repairs(name: str) -> None:
    shown = fenced((ROOT / name).read_text(encoding="utf-8"), "json")
    assert shown
    for text in shown:
        scene = build(json.loads(text))
        assert not scene.repairs
        assert scene.grid.voxels > 1000
        assert len(scene.grid.palette) > 3


def test_every_link_and_picture_of_the_readme_exists() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    assert targets
    for target in targets:
        assert target.startswith("http") or (ROOT / target).exists(), target


def test_the_readme_names_every_command_and_option() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "voxgen", "--help"], capture_output=True, text=True, check=True
    )
    commands = re.findall(r"^  ([a-z]+)  ", done.stdout.split("Commands:")[1], re.M)
    assert len(commands) >= 7
    for command in commands:
        assert command == "make" or f"voxgen {command}" in README
        page = subprocess.run(
            [sys.executable, "-m", "voxgen", command, "--help"], capture_output=True, text=True, check=True
        )
        for option in re.findall(r"^  (?:-\w, )?(--[a-z-]+)", page.stdout, re.M):
            assert option in ("--help", "--output") or option in README, f"{command} {option}"


def test_every_public_name_can_be_had() -> None:
    assert sorted(voxgen.__all__) == voxgen.__all__
    for name in voxgen.__all__:
        assert getattr(voxgen, name) is not None
        assert name in dir(voxgen)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = voxgen.nonsense


def test_the_python_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from voxgen.picture import driver

    missing = driver.probe().missing
    if missing:
        pytest.skip(missing)
    (code,) = fenced(README, "python")
    code = code.replace('koi pond")', 'koi pond", model="builtin", size="small")').replace(
        "(1600, 1200)", "(64, 48)"
    )
    code = code.replace('autumn")', 'autumn", model="builtin")')
    code = code.replace("gallery/garden", str(ROOT / "gallery" / "garden"))
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), names)
    assert names["image"].shape == (48, 64, 3)  # type: ignore[attr-defined]
    assert (tmp_path / "garden.glb").exists()


EXAMPLES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted((ROOT / "voxgen").rglob("*.py"))
    if ">>>" in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_in_docstrings_are_true(name: str) -> None:
    import doctest
    import importlib

    results = doctest.testmod(importlib.import_module(name))
    assert results.failed == 0 < results.attempted


def test_the_street_runs_one_way() -> None:
    """Imports point down: language and picture never meet, the client alone knows httpx."""
    allowed = {
        "language": {"errors", "scene", "borrow", "language"},
        "picture": {"errors", "scene", "picture"},
        "ask": {"errors", "scene", "stock", "ask", "__version__"},
        "files": {"errors", "scene", "language", "picture", "files", "__version__"},
    }
    for folder, good in allowed.items():
        for path in (ROOT / "voxgen" / folder).rglob("*.py"):
            source = path.read_text(encoding="utf-8")
            for module in re.findall(r"^\s*from voxgen(?:\.(\w+))?[\w.]* import", source, re.M):
                names = re.findall(r"^\s*from voxgen import (.+)$", source, re.M) if not module else [module]
                for name in names:
                    assert {n.strip().split(" ")[0] for n in name.split(",")} <= good, f"{path}: {name}"
            assert "import httpx" not in source or path.name == "client.py", path
            assert (
                not re.search(r"^\s*(import|from) (pyvista|vtkmodules)", source, re.M) or folder == "picture"
            ), path
