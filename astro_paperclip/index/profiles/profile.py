"""A profile: the settings that an index is made with, read from a TOML file."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.index.schema import INDEXED_FIELDS

__all__ = ["PROFILES", "Profile"]

PROFILES = ("laptop", "workstation", "cluster")
"""Names of the profiles that come with the package, each a TOML file beside this module."""

_DATATYPES = ("float32", "float16")
_QUANTIZATIONS = ("none", "int8")
_RANGES = {
    "shard_number": (1, None),
    "replication_factor": (1, None),
    "write_consistency_factor": (1, None),
    "quantile": (0.5, 1),
    "m": (0, None),
    "payload_m": (0, None),
    "ef_construct": (4, None),
    "max_segment_size": (0, None),
    "default_segment_number": (0, None),
}
"""Smallest and largest values, as Qdrant's API description (1.19) has them."""


@dataclass(frozen=True)
class Profile:
    """Settings of an index; most have the names that they have on a Qdrant server.

    Make one with `Profile.named`. The files of the package's own profiles say why each value
    was chosen, and where that is written. In a directory ``datatype`` counts from the first point
    on, and ``quantization``, ``quantile``, ``m`` and ``ef_construct`` when
    `~astro_paperclip.index.finish_index` builds the graph; the rest is about servers.

    Attributes
    ----------
    name : str
        What messages call it: one of the package's, or the path of a file.
    shard_number : int
        Parts that the points are divided among. It cannot be changed later.
    replication_factor : int
        Copies of each part, on as many nodes.
    write_consistency_factor : int
        Copies that must have stored a point before the server acknowledges it.
    datatype : {"float32", "float16"}
        How the components of vectors are kept.
    vectors_on_disk : bool
        Whether vectors are read from disk when they are needed, not kept in memory.
    on_disk_payload : bool
        Whether columns are read from disk when they are needed. Those with an index have it in
        memory.
    quantization : {"none", "int8"}
        Whether there is a second copy of vectors, one byte a component, to search in.
    quantile : float
        Share of components that ``"int8"`` keeps between its ends; those beyond are cut off.
    always_ram : bool
        Whether the second copy stays in memory wherever the first one is.
    m : int
        Links of a point in the graph that a search follows; 0: no graph, each vector is compared
        (in a directory: 16, if one is built).
    payload_m : int
        Links among the points that share a value of one of ``linked_fields``.
    ef_construct : int
        Points that are looked at for each link while the graph is built.
    linked_fields : tuple of str
        Columns whose values get links of their own, so that filters on them go with the graph.
    bulk_load : bool
        Whether the graph is built only after loading, when
        `~astro_paperclip.index.finish_index` says so. Until then one copy of a point is enough
        to acknowledge it.
    max_segment_size : int
        Largest segment [KB]; 0 leaves it to the server.
    default_segment_number : int
        Segments that the server aims at in each shard; 0 leaves it to the server.
    """

    name: str
    shard_number: int = 1
    replication_factor: int = 1
    write_consistency_factor: int = 1
    datatype: str = "float32"
    vectors_on_disk: bool = False
    on_disk_payload: bool = True
    quantization: str = "none"
    quantile: float = 0.99
    always_ram: bool = True
    m: int = 0
    payload_m: int = 0
    ef_construct: int = 100
    linked_fields: tuple[str, ...] = ()
    bulk_load: bool = False
    max_segment_size: int = 0
    default_segment_number: int = 0

    @classmethod
    def named(cls, name: "str | os.PathLike | Profile") -> "Profile":
        """Return a profile.

        Parameters
        ----------
        name : str, path-like or Profile
            One of `PROFILES`, or a TOML file with the same keys. Keys that the file lacks have
            the defaults above, which are those of ``"laptop"``.

        Returns
        -------
        Profile

        Raises
        ------
        InvalidQueryError
            If there is no such profile or file, or it says what a server would not take.
        """
        if isinstance(name, Profile):
            return name
        text = os.fspath(name)
        if text in PROFILES:
            source = files("astro_paperclip.index.profiles").joinpath(f"{text}.toml")
        else:
            source = Path(text).expanduser()
        try:
            content = tomllib.loads(source.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidQueryError(
                f"There is no profile {text!r}, nor a file of that name that can be read "
                f"({error}): choose one of {', '.join(PROFILES)}, or give a TOML file."
            ) from error
        except tomllib.TOMLDecodeError as error:
            raise InvalidQueryError(f"The profile {text} is no TOML file: {error}.") from error
        return cls.from_content({"name": text, **content})

    @classmethod
    def from_content(cls, content: Mapping[str, Any]) -> "Profile":
        """Return the profile that a dictionary describes.

        Parameters
        ----------
        content : mapping
            Names and values of attributes, such as `as_content` gives them.

        Raises
        ------
        InvalidQueryError
            If a name is unknown, or a value is none that a server would take.
        """
        where = f"The profile {content.get('name', '')}".rstrip()
        known = {field.name: field for field in fields(cls)}
        for name, value in content.items():
            if name not in known:
                raise InvalidQueryError(
                    f"{where} has an unknown key {name!r}. Known are: {', '.join(known)}."
                )
            _check_type(where, name, value, known[name].default)
        values = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in content.items()
        }
        profile = cls(**values)
        profile._check(where)
        return profile

    def as_content(self) -> dict[str, Any]:
        """Return the profile as a dictionary that JSON and TOML can hold."""
        return {**asdict(self), "linked_fields": list(self.linked_fields)}

    def _check(self, where: str) -> None:
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if value < low or (high is not None and value > high):
                end = "or more" if high is None else f"to {high}"
                raise InvalidQueryError(f"{where} has {name} = {value}; it must be {low} {end}.")
        for name, choices in (("datatype", _DATATYPES), ("quantization", _QUANTIZATIONS)):
            if getattr(self, name) not in choices:
                raise InvalidQueryError(
                    f"{where} has {name} = {getattr(self, name)!r}: choose one of "
                    f"{', '.join(map(repr, choices))}."
                )
        self._check_together(where)

    def _check_together(self, where: str) -> None:
        if self.write_consistency_factor > self.replication_factor:
            raise InvalidQueryError(
                f"{where} wants {self.write_consistency_factor} copies to be stored before a "
                f"point is acknowledged, and has {self.replication_factor}: lower "
                "write_consistency_factor, or raise replication_factor."
            )
        if self.bulk_load and not self.m:
            raise InvalidQueryError(
                f"{where} has bulk_load = true, which builds the graph after loading, and m = 0, "
                "which means no graph: set m, such as to 16, or bulk_load to false."
            )
        if not self.m and (self.payload_m or self.linked_fields):
            raise InvalidQueryError(
                f"{where} has m = 0, which means no graph, and payload_m or linked_fields, which "
                "are a part of one: set m, such as to 16, or leave these away."
            )
        unknown = set(self.linked_fields) - INDEXED_FIELDS.keys()
        if unknown:
            raise InvalidQueryError(
                f"{where} has {', '.join(sorted(unknown))} among linked_fields, which have no "
                f"index. Fields with one are: {', '.join(INDEXED_FIELDS)}."
            )


def _check_type(where: str, name: str, value: Any, default: Any) -> None:
    """Check that a value has the type of the default, of which `True` is no number."""
    kind = str if default is MISSING else type(default)
    accepted = {float: (int, float), tuple: (list, tuple)}.get(kind, (kind,))
    is_right = isinstance(value, accepted) and (kind is bool or not isinstance(value, bool))
    if is_right and kind is tuple:
        is_right = all(isinstance(item, str) for item in value)
    if not is_right:
        wanted = {
            bool: "true or false",
            int: "a whole number",
            float: "a number",
            str: "text",
            tuple: "a list of columns",
        }[kind]
        raise InvalidQueryError(f"{where} has {name} = {value!r}; it must be {wanted}.")
