"""What holds for every test and every executed page, wherever pytest is started.

Nothing here reads or writes the user's own configuration or cache, and nothing but tests
marked ``remote_data`` reaches a network.
"""

import os
import signal
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest
from pytest_astropy_header.display import PYTEST_HEADER_MODULES, TESTED_VERSIONS

# Libraries read these when they are first imported, so they are set before any of them is.
_HOME = tempfile.TemporaryDirectory(prefix="astro_paperclip_tests_")
for _kind in ("config", "cache"):
    _folder = Path(_HOME.name, _kind)
    # astropy before 8 uses an XDG folder only where it already holds a folder named astropy.
    (_folder / "astropy").mkdir(parents=True)
    os.environ[f"XDG_{_kind.upper()}_HOME"] = str(_folder)
    os.environ[f"ASTROPY_{_kind.upper()}_DIR"] = str(_folder / "astropy")
# A shell tells what it runs in the background to ignore Ctrl-C, which some tests press.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(Path(_HOME.name, "hypothesis"))
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["MPLBACKEND"] = "agg"
os.environ.setdefault("OMP_NUM_THREADS", "2")


def pytest_configure():
    """Name in the header what is tested, and mark astroquery's requests as a test's."""
    import astroquery.version
    from astropy.utils import iers

    import astro_paperclip

    iers.conf.auto_download = False
    astroquery.version.version += "_testrun"
    PYTEST_HEADER_MODULES.clear()
    PYTEST_HEADER_MODULES.update(
        {"astropy": "astropy", "NumPy": "numpy", "Pillow": "PIL", "pyarrow": "pyarrow"}
        | {"pyvo": "pyvo", "regions": "regions"}
    )
    TESTED_VERSIONS["astro_paperclip"] = astro_paperclip.__version__
    TESTED_VERSIONS["astroquery"] = astroquery.version.version


def pytest_runtest_setup(item):
    """Skip tests marked ``gpu`` where there is no GPU to run them on."""
    if item.get_closest_marker("gpu") is None:
        return
    if find_spec("torch") is None:
        pytest.skip("needs torch (the extra 'local')")
    import torch

    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
