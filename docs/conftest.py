"""A small simulated archive and a collection for the code in these pages."""

from importlib.util import find_spec

import pytest

_NEEDED = ("torch", "qdrant_edge")
collect_ignore_glob = [] if all(map(find_spec, _NEEDED)) else ["*.rst"]


@pytest.fixture(scope="session")
def workspace(tmp_path_factory):
    """Return a folder with an archive, ``sky``, an encoder and the collection ``hubble``."""
    from astro_paperclip.building import index_pairs
    from astro_paperclip.simulation import write_archive
    from astro_paperclip.training import HeadRecipe, train

    folder = tmp_path_factory.mktemp("docs")
    pairs = write_archive(folder / "sky", proposals=24, size=128, progress=False)
    encoder = folder / "my-encoder"
    recipe = HeadRecipe(images_seen=2000, views=4)
    train([pairs], "compact", encoder, recipe=recipe, progress=False)
    index_pairs(folder / "hubble", [pairs], encoder, progress=False)
    return folder


@pytest.fixture(scope="session")
def server(workspace):
    """Serve the archive in the workspace as MAST does, and return the address."""
    from astro_paperclip.simulation import serve

    with serve(workspace / "sky") as simulated:
        yield simulated.url


@pytest.fixture(autouse=True)
def _in_workspace(workspace, server, doctest_namespace, monkeypatch):
    """Run the code of a page in the folder that holds what it names; ``server`` is an address."""
    from astro_paperclip import PaperclipMast

    monkeypatch.chdir(workspace)
    doctest_namespace["server"] = server
    yield
    # What one page searches the next may write to.
    PaperclipMast.close()
