"""Products of simulated observations: their rows in MAST's product list, and their bytes."""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

from astro_paperclip.simulation.server.holdings import Holdings

__all__ = ["PRODUCT_TYPES", "Products"]

PRODUCT_TYPES = {
    "obsID": "string",
    "obs_collection": "string",
    "dataproduct_type": "string",
    "obs_id": "string",
    "description": "string",
    "type": "string",
    "dataURI": "string",
    "productType": "string",
    "productGroupDescription": "string",
    "productSubGroupDescription": "string",
    "productDocumentationURL": "string",
    "project": "string",
    "prvversion": "string",
    "proposal_id": "string",
    "productFilename": "string",
    "size": "int",
    "parent_obsid": "string",
    "dataRights": "string",
    "calib_level": "int",
    "filters": "string",
}
"""Type that MAST declares for each column of a product list, in its order."""

_COLUMNS = (
    *("obsid", "obs_collection", "dataproduct_type", "obs_id", "project", "proposal_id"),
    *("jpegURL", "dataURL", "dataRights", "calib_level", "filters"),
)

# The previews of the single filters belong to observations of their own, as in MAST, with
# numbers that no other observation has.
_NEXT_OBSID = 2_000_000

_PLACEHOLDER_SIDE = 32


@dataclass(frozen=True)
class _File:
    """A file of an observation, and what tells it from the observation's other files."""

    name: str
    uri: str
    kind: str
    description: str
    group: str | None = None
    filters: str | None = None
    obs_id: str | None = None
    number: int = 0


class Products:
    """
    Files of the observations of a simulated archive.

    An observation has a FITS image, a log, the preview that its ``jpegURL`` names and a
    thumbnail; where it went through several filters, a colour composite and a preview of each
    filter besides. The preview is the file that the archive has on disk, or a placeholder;
    everything else is made on the fly, the same bytes at every call.

    Parameters
    ----------
    holdings : `Holdings`
        The archive.
    """

    def __init__(self, holdings: Holdings):
        self._holdings = holdings

    def rows(self, obsids) -> list[dict]:
        """
        List the products of observations, as MAST does.

        Parameters
        ----------
        obsids : sequence of str
            Which observations; those that do not exist have no products.

        Returns
        -------
        list of dict
            With the keys `PRODUCT_TYPES`; ``size`` [byte] is true.
        """
        known = [self._holdings.row_of[obsid] for obsid in obsids if obsid in self._holdings.row_of]
        return [
            self._describe(observation, file)
            for observation in self._holdings.rows(known, _COLUMNS)
            for file in _files(observation)
        ]

    def content(self, uri: str) -> bytes | None:
        """
        Return the bytes of a file.

        Parameters
        ----------
        uri : str
            Its ``dataURI``.

        Returns
        -------
        bytes or None
            `None` where the archive has no such file.
        """
        row = self._row_of_uri.get(uri)
        if row is None:
            return None
        (observation,) = self._holdings.rows([row], _COLUMNS)
        (file,) = (file for file in _files(observation) if file.uri == uri)
        return self._bytes(observation, file)

    @cached_property
    def _row_of_uri(self):
        observations = self._holdings.observations.select(_COLUMNS).to_pylist()
        return {
            file.uri: row
            for row, observation in enumerate(observations)
            for file in _files(observation)
        }

    def _describe(self, observation, file):
        own = {
            "obsID": int(observation["obsid"]) + file.number * _NEXT_OBSID,
            "obs_id": file.obs_id or observation["obs_id"],
            "description": file.description,
            "type": "D",
            "dataURI": file.uri,
            "productType": {"image": "SCIENCE", "log": "AUXILIARY"}.get(file.kind, "PREVIEW"),
            "productGroupDescription": file.group,
            "productSubGroupDescription": PurePosixPath(file.name).stem.rpartition("_")[2].upper(),
            "productFilename": file.name,
            "size": self._size(observation, file),
            "parent_obsid": int(observation["obsid"]),
            "filters": file.filters or observation["filters"],
        }
        return {name: own[name] if name in own else observation.get(name) for name in PRODUCT_TYPES}

    def _size(self, observation, file):
        path = self._path(observation)
        if path is None or file.kind not in ("preview", "variant"):
            return len(self._bytes(observation, file))
        size = path.stat().st_size
        return size if file.kind == "preview" else size + len(_comment_segment(file.name))

    def _bytes(self, observation, file):
        if file.kind == "image":
            return _fits(file.name)
        if file.kind == "log":
            return f"Simulated by astro_paperclip: nothing was processed for {file.name}\n".encode()
        path = self._path(observation)
        if path is None or file.kind == "thumbnail":
            return _with_comment(_placeholder(), file.name)
        preview = path.read_bytes()
        return preview if file.kind == "preview" else _with_comment(preview, file.name)

    def _path(self, observation) -> Path | None:
        """Return where an observation's preview is on disk."""
        if self._holdings.previews is None:
            return None
        name = PurePosixPath(urlsplit(observation["jpegURL"]).path).name
        path = self._holdings.previews / (observation["proposal_id"] or "") / name
        return path if path.is_file() else None


def _files(observation) -> Iterator[_File]:
    """Yield the files of an observation."""
    obs_id = observation["obs_id"]
    folder = f"mast:{observation['obs_collection']}/product"
    data = observation["dataURL"] or f"{folder}/{obs_id}_drc.fits"
    name = PurePosixPath(urlsplit(data).path).name
    yield _File(name, data, "image", "Calibrated image", "Minimum Recommended Products")
    yield _File(f"{obs_id}_trl.txt", f"{folder}/{obs_id}_trl.txt", "log", "Processing log")
    preview = observation["jpegURL"]
    if not preview:
        return
    name = PurePosixPath(urlsplit(preview).path).name
    yield _File(name, preview, "preview", "Preview", "Minimum Recommended Products")
    stem, suffix = PurePosixPath(name).stem, PurePosixPath(name).suffix
    name = f"{stem}_thumb{suffix}"
    yield _File(name, f"{folder}/{name}", "thumbnail", "Thumbnail")
    filters = (observation["filters"] or "").split(";")
    if len(filters) == 1:
        return
    ending = stem.removeprefix(obs_id)
    name = f"{obs_id}_color{ending}{suffix}"
    yield _File(name, f"{folder}/{name}", "variant", "Colour composite of the filters")
    for number, light in enumerate(filters, start=1):
        own_id = _of_one_filter(obs_id, light)
        name = f"{own_id}{ending}{suffix}"
        yield _File(
            name,
            f"{folder}/{name}",
            "variant",
            "Preview of one filter",
            filters=light,
            obs_id=own_id,
            number=number,
        )


def _of_one_filter(obs_id, light):
    """Name the observation through one of the filters of a combined one."""
    if "_total_" in obs_id:
        return obs_id.replace("_total_", f"_{light.lower()}_")
    return f"{obs_id}_{light.lower()}"


@cache
def _fits_frame():
    """Return a FITS file of 16 by 16 bytes, as its header and what follows the pixels."""
    from astropy.io import fits

    hdu = fits.PrimaryHDU(np.zeros((16, 16), dtype=np.uint8))
    hdu.header["COMMENT"] = "Simulated by astro_paperclip; not an observation"
    file = io.BytesIO()
    hdu.writeto(file)
    whole = file.getvalue()
    start = whole.index(b"END" + b" " * 77) // 2880 * 2880 + 2880
    return whole[:start], whole[start + 256 :]


def _fits(name):
    """Make a FITS file whose pixels depend on its name."""
    header, padding = _fits_frame()
    return header + hashlib.sha256(name.encode()).digest() * 8 + padding


@cache
def _placeholder():
    """Return a small JPEG: the preview of an observation that has none on disk."""
    ramp = np.linspace(0, 255, _PLACEHOLDER_SIDE, dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(np.add.outer(ramp // 2, ramp // 2)).convert("RGB").save(file, "JPEG")
    return file.getvalue()


def _comment_segment(text):
    """Return a comment as JPEG files hold it: marker COM, length with itself, text."""
    encoded = text.encode()
    return b"\xff\xfe" + (len(encoded) + 2).to_bytes(2, "big") + encoded


def _with_comment(jpeg, text):
    """Put a comment first in a JPEG, before its own."""
    return jpeg[:2] + _comment_segment(text) + jpeg[2:]
