"""Configuration of ``astro_paperclip``, kept in the package's own file.

Change a value for a session with ``conf.collection = ...``, for a block with
``with conf.set_temp("row_limit", 10): ...``, for a job with an environment variable such as
``ASTRO_PAPERCLIP_COLLECTION``, or for good in ``astro_paperclip.cfg`` in the directory that
``astropy.config.get_config_dir("astro_paperclip")`` names. What was assigned counts more than the
environment, and this more than the file.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from astropy.config import ConfigItem as _ConfigItem
from astropy.config import ConfigNamespace as _ConfigNamespace
from astropy.extern.configobj.validate import ValidateError

__all__ = ["Conf", "conf"]

_PREFIX = "ASTRO_PAPERCLIP_"

_KINDS = {"boolean": "True or False", "integer": "a whole number", "float": "a number"}
"""What astropy calls the types of items, and what a user may write."""

_POSITIVE = "integer(min=1)"


class ConfigItem(_ConfigItem):
    """A configuration item that lives in this package's own file, or in the environment.

    The environment variable has the name of the item in capitals, after ``ASTRO_PAPERCLIP_``. It
    counts more than the file, but less than what is assigned in Python; an empty one says nothing.
    """

    rootname = "astro_paperclip"
    _is_assigned = False

    @property
    def variable(self) -> str:
        """Name of the environment variable."""
        return _PREFIX + self.name.upper()

    def __call__(self) -> Any:
        """Return the value that holds."""
        text = "" if self._is_assigned else os.environ.get(self.variable, "")
        return self._checked(text) if text else self._stored()

    def set(self, value: Any) -> None:
        """Assign a value, which counts more than the environment."""
        super().set(value)
        self._is_assigned = True

    @contextmanager
    def set_temp(self, value: Any) -> Iterator[None]:
        """Assign a value inside a block."""
        was_assigned, stored = self._is_assigned, self._stored()
        self.set(value)
        try:
            yield
        finally:
            self.set(stored)
            self._is_assigned = was_assigned

    def reload(self) -> Any:
        """Forget what was assigned, and read the file again."""
        super().reload()
        self._is_assigned = False
        return self()

    def _stored(self) -> Any:
        """Return the value that was assigned, else that of the file, else the default."""
        was_assigned = self._is_assigned
        try:
            return super().__call__()
        finally:
            # astropy assigns the default where there is nothing else.
            self._is_assigned = was_assigned

    def _checked(self, text: str) -> Any:
        """Return the value of the environment variable, or raise an error that names it."""
        try:
            return self._validate_val(text)
        except ValidateError:
            from astro_paperclip.exceptions import ConfigurationError

            raise ConfigurationError(
                f"The environment variable {self.variable} must be {self._kind()}, not {text!r}."
            ) from None

    def _kind(self) -> str:
        """Return what the value must be, in words: astropy has it as ``integer(min=1)``."""
        kind, _, limits = self.cfgtype.rstrip(")").partition("(")
        if kind == "option":
            return f"one of {limits}"
        words = _KINDS.get(kind, kind)
        return f"{words} from {limits.removeprefix('min=')}" if limits else words


class Conf(_ConfigNamespace):
    """Configuration parameters of `astro_paperclip`."""

    rootname = "astro_paperclip"

    collection = ConfigItem(
        "",
        "Collection that queries search when none is given: a directory, or the address "
        "https://HOST:6333/NAME of one on a Qdrant server.",
    )
    qdrant_url = ConfigItem(
        "",
        "Address https://HOST:6333/NAME of the collection that queries search when there is no "
        "other: for a machine whose users share one, beside collections of their own.",
    )
    qdrant_grpc = ConfigItem(
        False, "Whether a Qdrant server is called by gRPC (port 6334) instead of HTTP."
    )
    encoder = ConfigItem(
        "",
        "Encoder that texts and pictures of queries are encoded with. Empty: the one that the "
        "collection names.",
    )
    device = ConfigItem(
        ["auto", "cpu", "cuda", "mps"],
        "Where encoders run. 'auto' takes the first of cuda, mps, cpu that is there.",
    )
    row_limit = ConfigItem(
        50,
        "Largest number of rows that a query returns unless told otherwise.",
        cfgtype=_POSITIVE,
    )
    batch_size = ConfigItem(
        32, "Number of images or texts that are encoded together.", cfgtype=_POSITIVE
    )
    max_image_pixels = ConfigItem(
        200_000_000,
        "Images with more pixels than this are refused before they are decoded.",
        cfgtype=_POSITIVE,
    )
    collections_dir = ConfigItem(
        "",
        "Folder whose collections are listed. Empty: the folder that the collection lies in.",
    )
    mast_server = ConfigItem("https://mast.stsci.edu", "Address of MAST.")
    proposals_url = ConfigItem(
        "https://archive.stsci.edu/hst/catalogs/abstracts.cat",
        "Address of the catalogue of Hubble proposals with their abstracts.",
    )
    timeout = ConfigItem(60.0, "Time limit in seconds for a server to answer, or to go on sending.")
    retries = ConfigItem(
        8,
        "How often a request to a server is tried again before it is given up.",
        cfgtype="integer(min=0)",
    )
    max_conn = ConfigItem(8, "Number of files that are fetched at once.", cfgtype=_POSITIVE)
    max_file_size = ConfigItem(
        200_000_000, "Previews with more bytes than this are refused.", cfgtype=_POSITIVE
    )
    max_reply_size = ConfigItem(
        2_000_000_000,
        "Replies of MAST's services with more bytes than this are refused.",
        cfgtype=_POSITIVE,
    )
    cache_dir = ConfigItem(
        "", "Where computed features are kept. Empty: a folder of its own in astropy's cache."
    )


conf = Conf()
