"""What every test may rely on: no key in the environment, an own folder, no local server asked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the keys, proxies and settings of whoever runs the tests."""
    for name in list(os.environ):
        if name.startswith("VOXGEN_") or name.endswith(
            ("_API_KEY", "_BASE_URL", "_proxy", "_PROXY", "HF_TOKEN")
        ):
            monkeypatch.delenv(name)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
