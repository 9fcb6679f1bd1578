"""Pictures as squares of pixels, decoded once and kept on disk."""

import hashlib
import os
import shutil
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

import numpy as np

from astro_paperclip.cache import cache_directory
from astro_paperclip.exceptions import ImageError
from astro_paperclip.images import letterbox, letterbox_place, read_image

__all__ = ["PictureCache"]

#: Part of every file's name: change it when the same picture would become other pixels.
_VERSION = "squares-1"

#: What stands before the pixels of each picture: a mark, the checksum of all that follows, size
#: [bytes] and modification time [ns] of the picture's file, and the box of the picture.
_HEADER = struct.Struct("<4sIqq4H")
_MARK = b"SQR1"
_AFTER_CHECKSUM = 8

_PATHS_AT_ONCE = 4096

#: What is left free on the disk, and how much is written before it is looked at again [bytes].
_RESERVE = 2_000_000_000
_BETWEEN_CHECKS = 200_000_000


class PictureCache:
    """Letterboxed squares of image files, in one file of the cache.

    Decoding a preview and shrinking it takes longer than a training step has for it, so that it
    is done when the picture is first asked for and never again. The file is as large as all
    squares from the start, but takes room on the disk only for those that are there. Each has a
    checksum: a square that a killed process left unfinished, or that two processes wrote at once,
    is not taken for a picture. Threads, and processes of one machine, may share the file.

    Parameters
    ----------
    paths : sequence of str or path-like
        Image files, of which none is opened before it is asked for. The cache is found again for
        the same paths in the same order; one whose file has changed since is decoded again.
    size : int
        Side of the squares in pixels.
    folder : str or path-like, optional
        Where the file lies. Default: ``pictures`` in the package's cache.

    Attributes
    ----------
    size : int
        Side of the squares in pixels.
    path : `~pathlib.Path`
        The file; it may be removed when nothing runs.
    is_full : bool
        Whether the disk has no room for more.

    Notes
    -----
    Where the disk fills up, a reserve is left free: further pictures are decoded each time that
    they are asked for, and `is_full` says so.
    """

    def __init__(
        self,
        paths: Sequence[str | os.PathLike],
        size: int,
        folder: str | os.PathLike | None = None,
    ) -> None:
        self.size = size
        self._paths = paths
        self._root = str(Path.cwd())
        self._bytes = _HEADER.size + 3 * size**2
        self._seen = bytearray(len(paths))  # 1: compared with its file by this process
        self._broken: dict[int, str] = {}
        folder = cache_directory("pictures") if folder is None else Path(folder)
        self.path = folder / f"{self._digest()}-{size}.squares"
        folder.mkdir(parents=True, exist_ok=True)
        self._until_check = 0
        self.is_full = False
        with self.path.open("ab") as file:
            file.truncate(len(paths) * self._bytes)

    def __len__(self) -> int:
        return len(self._paths)

    @property
    def broken(self) -> Mapping[int, str]:
        """Row and message of each picture that was asked for and cannot be read, so far."""
        return MappingProxyType(self._broken)

    def is_readable(self, row: int) -> bool:
        """Say whether a picture can be read; it is decoded where it was not before.

        Parameters
        ----------
        row : int
            Position in the paths.

        Returns
        -------
        is_readable : bool
        """
        row = int(row)
        if row not in self._broken and not (0 <= row < len(self) and self._seen[row]):
            self.get([row])
        return row not in self._broken

    def get(self, rows: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Return the squares of some pictures.

        Parameters
        ----------
        rows : sequence of int
            Positions in the paths.

        Returns
        -------
        squares : `~numpy.ndarray`
            Shape (n, size, size, 3), uint8. Black where a picture cannot be read; `is_readable`
            and `broken` tell.
        boxes : `~numpy.ndarray`
            Which part of its square each picture covers: left, top, width and height in whole
            pixels; shape (n, 4), int64. It touches two opposite sides of the square.

        Raises
        ------
        IndexError
            If there is no such row.
        """
        squares = np.zeros((len(rows), self.size, self.size, 3), np.uint8)
        boxes = np.zeros((len(rows), 4), np.int64)
        # Opened anew: a handle of its own needs no lock, and none is left over.
        with self.path.open("rb") as file:
            for place, row in enumerate(map(int, rows)):
                if not 0 <= row < len(self):
                    raise IndexError(f"Row {row} is not among the {len(self)} pictures.")
                if row not in self._broken:
                    self._fill(file, row, squares[place], boxes[place])
        return squares, boxes

    def _fill(self, file: BinaryIO, row: int, square: np.ndarray, box: np.ndarray) -> None:
        """Write a picture into a black square, from the cache or from its own file."""
        path = str(os.path.join(self._root, self._paths[row]))  # noqa: PTH118, may be of any type
        try:
            # Asked before the file is read: what changes it later changes this as well.
            state = None if self._seen[row] else _state(path)
            if (found := self._stored(file, row, square, state)) is None:
                square[:] = 0
                picture = read_image(path, at_least=self.size)
                found = letterbox_place(picture.size, self.size)
                square[:] = np.asarray(letterbox(picture, self.size))
                self._store(row, square, found, state or _state(path))
        except ImageError as error:
            self._broken[row] = str(error)
        else:
            box[:] = found
            self._seen[row] = 1

    def _stored(
        self, file: BinaryIO, row: int, square: np.ndarray, state: tuple[int, int] | None
    ) -> Sequence[int] | None:
        """Read a square from the cache, and return its box; None where there is none.

        A file that was in the given state is asked for, or in any.
        """
        file.seek(row * self._bytes)
        header = file.read(_HEADER.size)
        mark, checksum, length, modified, *box = _HEADER.unpack(header)
        if mark != _MARK or state not in (None, (length, modified)):
            return None
        pixels = square.reshape(-1)
        file.readinto(pixels)
        is_whole = zlib.crc32(pixels, zlib.crc32(header[_AFTER_CHECKSUM:])) == checksum
        return box if is_whole else None

    def _store(
        self, row: int, square: np.ndarray, box: Sequence[int], state: tuple[int, int]
    ) -> None:
        if not self._has_room():
            return
        content = _HEADER.pack(_MARK, 0, *state, *box)[_AFTER_CHECKSUM:] + square.tobytes()
        header = struct.pack("<4sI", _MARK, zlib.crc32(content))
        try:
            with self.path.open("r+b") as file:
                file.seek(row * self._bytes)
                file.write(header + content)
        except OSError:
            self.is_full = True  # what was half written has no right checksum

    def _has_room(self) -> bool:
        """Say whether the disk takes more; looked at now and then."""
        if self._until_check <= 0 and not self.is_full:
            self.is_full = shutil.disk_usage(self.path.parent).free < _RESERVE
            self._until_check = _BETWEEN_CHECKS // self._bytes
        self._until_check -= 1
        return not self.is_full

    def _digest(self) -> str:
        """Return what tells these pictures from others: a hash of their paths."""
        digest = hashlib.sha256(f"{_VERSION} {self.size} {len(self)}".encode())
        for start in range(0, len(self), _PATHS_AT_ONCE):
            paths = self._paths[start : start + _PATHS_AT_ONCE]
            whole = "\0".join([os.path.join(self._root, path) for path in paths])  # noqa: PTH118
            digest.update(b"\0" + whole.encode("utf-8", "surrogateescape"))
        return digest.hexdigest()[:32]


def _state(path: str) -> tuple[int, int]:
    """Return size [bytes] and modification time [ns] of a file."""
    try:
        state = os.stat(path)  # noqa: PTH116, the fastest way
    except OSError as error:
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise ImageError(f"Cannot read image {path!r}: {reason}") from None
    return state.st_size, state.st_mtime_ns
