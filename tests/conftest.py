"""Fixtures of all tests."""

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[1]

# A light client has the base dependencies only; what they cannot run is not collected there.
_NEEDS = {
    "torch": ["encoders", "training", "evaluation/test_evaluate.py", "test_building.py"],
    "qdrant_edge": ["index", "test_building.py"],
    "photutils": ["simulation", "test_demo.py"],
}
collect_ignore = [
    path for library, paths in _NEEDS.items() if find_spec(library) is None for path in paths
]


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder with real data, or skip the test where it is absent."""
    folder = Path(os.environ.get("PAPERCLIP_SHARED", _ROOT.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"no real data in {folder} (set PAPERCLIP_SHARED to the folder that has it)")
    return folder
