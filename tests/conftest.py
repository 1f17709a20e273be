"""What every test may rely on: no key in the environment, an own folder, no local server asked."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Hide the keys, proxies, settings and cached replies of whoever runs the tests."""
    for name in list(os.environ):
        if name.startswith("VOXGEN_") or name.endswith(
            ("_API_KEY", "_BASE_URL", "_proxy", "_PROXY", "HF_TOKEN")
        ):
            monkeypatch.delenv(name)
    monkeypatch.setenv("VOXGEN_CACHE_DIR", str(tmp_path_factory.getbasetemp() / f"cache-{uuid.uuid4().hex}"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
