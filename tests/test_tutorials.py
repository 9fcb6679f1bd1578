"""The tutorials are run as a reader runs them, with warnings as errors."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "docs" / "tutorials"
NEEDED = ("torch", "qdrant_edge", "matplotlib", "ipyaladin", "nbclient", "ipykernel")
MISSING = [name for name in NEEDED if find_spec(name) is None]

# In a process of its own: what Jupyter's libraries warn of is not the tutorial's business.
RUN = """
import sys
import nbformat
from nbclient import NotebookClient

notebook = nbformat.read(sys.argv[1], as_version=4)
strict = "import warnings; warnings.simplefilter('error')"
notebook.cells.insert(0, nbformat.v4.new_code_cell(strict))
NotebookClient(notebook, timeout=1500, kernel_name="python3").execute()
nbformat.write(notebook, sys.argv[2])
"""


def tutorials():
    return sorted(FOLDER.glob("*.ipynb"))


def code_cells(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def outputs(path, kind):
    """Return all outputs of a kind, in the order of the cells."""
    found = [output.get("data", {}).get(kind) for c in code_cells(path) for output in c["outputs"]]
    return ["".join(text) for text in found if text is not None]


def test_there_are_tutorials():
    assert [path.name for path in tutorials()] == ["deep_field.ipynb"]


@pytest.mark.parametrize("path", tutorials(), ids=lambda path: path.stem)
def test_tutorials_are_kept_without_outputs(path):
    for cell in code_cells(path):
        assert cell["outputs"] == []
        assert cell["execution_count"] is None


@pytest.mark.timeout(1800)
@pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)}")
def test_deep_field(tmp_path):
    done = tmp_path / "done.ipynb"
    environment = os.environ | {"IPYTHONDIR": str(tmp_path / "ipython")}
    environment["JUPYTER_RUNTIME_DIR"] = str(tmp_path / "runtime")
    # Jupyter chooses how figures are drawn.
    environment.pop("MPLBACKEND", None)
    run = subprocess.run(
        [sys.executable, "-c", RUN, str(FOLDER / "deep_field.ipynb"), str(done)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-4000:]
    pages = outputs(done, "text/html")
    # The table of the five best, the grid of twelve, and that of the four that are similar.
    assert [page.count("data:image/jpeg") for page in pages if "<img" in page] == [5, 12, 4]
    assert len(outputs(done, "image/png")) == 2
    files = list((tmp_path / "deep_field").rglob("*.fits"))
    assert any(path.stat().st_size > 0 and "wfc3_ir" in path.name for path in files)
    assert "COMPLETE" in pages[-1]
    assert "ERROR" not in pages[-1]
