"""Footprints as text: STC-S, as MAST's column ``s_region`` has it."""

import re
from typing import NoReturn

import numpy as np
from astropy.coordinates import SkyCoord

from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.sky.polygon import Polygon
from astro_paperclip.sky.shapes import Box, Circle, Shape, Union
from astro_paperclip.sky.tangent import rectangle

__all__ = ["parse_footprint"]

_TOKEN = re.compile(
    r"\s*(?:(?P<number>[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:E[+-]?\d+)?|INF))(?=[\s,()]|$)"
    r"|(?P<word>[A-Z][A-Z0-9_.-]*)|(?P<mark>[(),]))",
    re.ASCII,
)
_EQUATORIAL = {"ICRS", "FK5", "J2000", "J2000.0", "GSC1", "GSC2", "NONE", "UNKNOWN"}
_EQUATORIAL |= {"UNKNOWNFRAME"}
_GALACTIC = {"GALACTIC", "GALACTICII", "GALACTIC_II"}
_POSITION_WORDS = {"GEOCENTER", "BARYCENTER", "HELIOCENTER", "TOPOCENTER", "UNKNOWNREFPOS"}
_POSITION_WORDS |= {"SPHERICAL2", "UNIT", "DEG"}
_COUNTS = {"CIRCLE": 3, "BOX": 4, "RANGE": 4}
_SHAPES = {"POLYGON", *_COUNTS}
_DEEPEST = 20
"""Unions within unions: no archive nests them twice."""


def parse_footprint(text: str) -> Shape:
    """Read a footprint in STC-S, in the manner of the archives that write it.

    The equatorial frames that archives name, GSC1, J2000 and FK5 for instance, or none, are
    taken for ICRS. FK5 and ICRS agree within 0.1 arcsec. That positions which go back to the
    first Guide Star Catalog can be off by an arcsecond or so lies in the data, and stays.
    Galactic coordinates are converted.

    Parameters
    ----------
    text : str
        ``POLYGON``, ``CIRCLE``, ``BOX`` (centre, width and height, the sides being great
        circles) or ``RANGE`` (limits of right ascension and declination, as in SIA2), with a
        frame or without, and numbers in degrees. Several, one behind the other or in a
        ``UNION``, are united. Upper and lower case are the same.

    Returns
    -------
    shape : `~astro_paperclip.sky.Shape`
        A circle, box or polygon, or a union of them.

    Raises
    ------
    InvalidQueryError
        If the text is anything else; the message has the text.

    Notes
    -----
    `STC-S <https://www.ivoa.net/documents/Notes/STC-S/>`_ is a note of the IVOA, from which
    times, velocities, ellipses, intersections and complements are not read.

    Examples
    --------
    >>> from astro_paperclip.sky import parse_footprint
    >>> parse_footprint("CIRCLE GSC1 83.63 22.01 0.05")
    Circle(ra=83.63, dec=22.01, radius=0.05)
    """
    if not isinstance(text, str):
        raise InvalidQueryError(f"A footprint is text in STC-S, not {text!r:.200}.")
    shapes = _Reader(text).shapes("", 0)
    return shapes[0] if len(shapes) == 1 else Union(tuple(shapes))


class _Reader:
    """Tokens of a text, and where the reading has come to."""

    def __init__(self, text: str):
        self.text = text
        self.place = 0
        self.tokens: list[tuple[str, str]] = []
        upper, start = text.upper().rstrip(), 0
        while start < len(upper):
            match = _TOKEN.match(upper, start)
            if match is None:
                self.refuse(f"{text[start : start + 20].strip()!r} cannot be read")
            if match[match.lastgroup] != ",":
                self.tokens.append((match.lastgroup, match[match.lastgroup]))
            start = match.end()

    def refuse(self, reason: str) -> NoReturn:
        """Raise the error that says what is wrong with the text."""
        raise InvalidQueryError(
            f"{self.text!r:.200} is no region of the sky: {reason}. One looks like "
            "'POLYGON ICRS 10 20 11 20 11 21' or 'CIRCLE ICRS 10 20 0.5'."
        )

    def next(self) -> tuple[str, str]:
        """Return the next token, without taking it."""
        return self.tokens[self.place] if self.place < len(self.tokens) else ("end", "")

    def take(self, kind: str) -> list[str]:
        """Take all tokens of a kind that follow."""
        taken = []
        while self.next()[0] == kind:
            taken.append(self.next()[1])
            self.place += 1
        return taken

    def shapes(self, frame: str, depth: int) -> list[Shape]:
        """Read shapes up to the end of the text, or of the union that they are in."""
        found = []
        while (token := self.next()) not in (("end", ""), ("mark", ")")):
            found.extend(self.shape(frame, depth))
        if (token[0] == "end") != (depth == 0):
            self.refuse("brackets do not match")
        if not found:
            self.refuse("there is no shape in it")
        return found

    def shape(self, frame: str, depth: int) -> list[Shape]:
        """Read one shape, or a union."""
        kind = self.next()[1]
        if kind != "UNION" and kind not in _SHAPES:
            self.refuse(f"{kind!r} is no shape that can be read")
        self.place += 1
        words = []
        while self.next()[0] == "word" and self.next()[1] not in _SHAPES | {"UNION"}:
            words.append(self.next()[1])
            self.place += 1
        frame = self.frame(words) or frame
        if kind == "UNION":
            return self.union(frame, depth)
        numbers = [float(number) for number in self.take("number")]
        return [self.made(kind, frame, numbers)]

    def union(self, frame: str, depth: int) -> list[Shape]:
        if self.next() != ("mark", "(") or depth == _DEEPEST:
            self.refuse("a UNION has its shapes in brackets")
        self.place += 1
        found = self.shapes(frame, depth + 1)
        self.place += 1
        return found

    def frame(self, words: list[str]) -> str:
        """Return the frame that the words behind the name of a shape mean."""
        frames = [word for word in words if word not in _POSITION_WORDS]
        for word in frames:
            if word not in _EQUATORIAL | _GALACTIC:
                self.refuse(f"{word!r} is no frame that can be read: use ICRS")
        if any(word in _GALACTIC for word in frames):
            return "galactic"
        return "icrs" if frames else ""

    def made(self, kind: str, frame: str, numbers: list[float]) -> Shape:
        """Make a shape of the numbers that follow its name."""
        if kind == "POLYGON" and (len(numbers) < 6 or len(numbers) % 2):
            self.refuse(
                f"a POLYGON has at least three pairs of numbers, not {len(numbers)} numbers"
            )
        if kind in _COUNTS and len(numbers) != _COUNTS[kind]:
            self.refuse(f"a {kind} has {_COUNTS[kind]} numbers, not {len(numbers)}")
        if kind == "RANGE" and frame == "galactic":
            self.refuse("a RANGE is equatorial")
        try:
            return _made(kind, frame, numbers)
        except InvalidQueryError as error:
            raise InvalidQueryError(
                f"{self.text!r:.200} is no region of the sky: {error}"
            ) from error


def _made(kind: str, frame: str, numbers: list[float]) -> Shape:
    if kind == "RANGE":
        return Box.from_limits(*numbers)
    pairs = list(zip(numbers[::2], numbers[1::2], strict=False))
    if kind == "CIRCLE":
        return Circle(*_icrs(pairs, frame)[0], numbers[2])
    corners = rectangle(*pairs[0], *pairs[1]) if kind == "BOX" else pairs
    return Polygon(tuple(_icrs(corners, frame)))


def _icrs(pairs: list[tuple[float, float]], frame: str) -> list[tuple[float, float]]:
    if frame != "galactic":
        return pairs
    longitude, latitude = np.array(pairs, dtype=float).T
    if not (np.isfinite(longitude).all() and (np.abs(latitude) <= 90).all()):
        raise InvalidQueryError("latitudes go from -90 to 90 deg.")
    icrs = SkyCoord(longitude, latitude, unit="deg", frame="galactic").icrs
    return list(zip(icrs.ra.deg.tolist(), icrs.dec.deg.tolist(), strict=True))
