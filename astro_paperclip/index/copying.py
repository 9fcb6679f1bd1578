"""Copy the index of a collection: from a directory to a server, back, or to another directory."""

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from astro_paperclip.collection import JOINED_ENCODERS, OWN_ENCODER, Collection
from astro_paperclip.exceptions import CollectionError, IndexMismatchError, InvalidQueryError
from astro_paperclip.files import written_whole_folder
from astro_paperclip.index.address import ServerAddress, is_address
from astro_paperclip.index.creating import finish_index
from astro_paperclip.index.opening import open_store
from astro_paperclip.index.rewriting import joined_vectors, store_again
from astro_paperclip.index.store import Record, Store, in_pages

__all__ = ["CopyReport", "copy_collection"]

_POINTS_PER_PAGE = 1024
_LARGEST_DIFFERENCE = {"float32": 1e-6, "float16": 2**-10}
"""How far [1] components of unit vectors may be apart, which are rounded and normalised once more.

float16 has 11 binary digits: rounding changes a component, and the length of a vector, by 2**-11
of its value at most.
"""


@dataclass(frozen=True)
class CopyReport:
    """What a copy did.

    Parameters
    ----------
    source, target : str
        From where, and to where.
    n_points : int
        Points of the source, and of the target now.
    n_copied : int
        Points that were copied.
    n_present : int
        Points that the target had already.
    n_compared : int
        Points, drawn by chance, whose vector and payload were found equal.
    """

    source: str
    target: str
    n_points: int
    n_copied: int
    n_present: int
    n_compared: int

    def summary(self) -> str:
        """Return what was done, in one line."""
        return (
            f"{self.source} -> {self.target}: {self.n_copied} points copied, {self.n_present} "
            f"already there; both hold {self.n_points}, and {self.n_compared} drawn by chance are "
            "equal."
        )


def copy_collection(
    source: str | os.PathLike,
    target: str | os.PathLike,
    *,
    n_compared: int = 1000,
    seed: int | None = None,
    progress: bool = True,
) -> CopyReport:
    """Copy the points of a collection, and what is recorded of it, to another place.

    Points that the target has already are left alone, so that an interrupted copy goes on where
    it stopped; those of them that lack a vector which joined the collection are given it. Pictures
    are not copied, nor is anything else that building a collection made; encoders that lie in the
    collection, its own and those that joined, go along from directory to directory, as a server
    holds none.
    Where the target was made for a bulk load (`create_index`), the copy waits in the end until
    the server has built its graph.

    Parameters
    ----------
    source, target : str or path-like
        Directories, or addresses of collections on a Qdrant server.
    n_compared : int, optional
        Number of points that are compared in the end.
    seed : int, optional
        Which ones. By default others each time.
    progress : bool, optional
        Whether to show a progress bar.

    Returns
    -------
    CopyReport

    Raises
    ------
    CollectionError
        If there is no collection to copy, the target is one of another encoder, or the two differ
        in the end.
    CollectionServerError
        If a server cannot be reached.
    """
    source, target = _location(source), _location(target)
    if source == target:
        raise InvalidQueryError(f"{source} cannot be copied to itself: give another target.")
    with open_store(source) as origin:
        record = _record(source, origin)
        with _opened_target(target, record, origin.info()) as copy:
            joined = _joined(origin, copy)
            _record_joined(record, target, copy)
            n_points = origin.count()
            rng = np.random.default_rng(seed)
            drawn = set(rng.choice(n_points, min(n_compared, n_points), replace=False).tolist())
            n_copied, ids = _add_missing(origin, copy, joined, drawn, progress)
            _check_counts(origin, copy, source, target)
            _check_equal(origin, copy, joined, ids, f"{source} and {target}")
    if is_address(target):
        finish_index(target, progress=progress)
    return CopyReport(source, target, n_points, n_copied, n_points - n_copied, len(ids))


def _location(place: str | os.PathLike) -> str:
    if is_address(place):
        return str(ServerAddress.parse(place))
    return str(Path(place).expanduser().absolute())


def _record(location: str, store: Store) -> Collection:
    if is_address(location):
        return Collection.from_content(location, store.info()["collection"])
    return Collection.open(location)


def _opened_target(target: str, record: Collection, info: dict[str, Any]) -> Store:
    """Open the index to copy to, after making it where it is missing."""
    expected = {"dimension": info["dimension"], "encoder": record.encoder_fingerprint}
    if is_address(target):
        store = open_store(target, mode="w", **expected)
        if not store.info()["collection"]:
            store.describe(record.content)
        return store
    home = Path(target)
    if Collection.exists(home):
        theirs = Collection.open(home).encoder_fingerprint
        if theirs not in ("", record.encoder_fingerprint):
            raise IndexMismatchError(
                f"{target} is a collection of another encoder ({theirs[:12]}) than "
                f"{record.path} ({record.encoder_fingerprint[:12]}): choose another directory."
            )
    else:
        _copy_encoder(record, home)
        Collection.create(
            home,
            encoder_name=record.encoder_name,
            encoder_fingerprint=record.encoder_fingerprint,
            dimension=record.dimension,
            views=record.views,
            title=record.title,
        )
    return open_store(home, mode="w", **expected)


def _copy_encoder(record: Collection, home: Path, name: str = OWN_ENCODER) -> None:
    """Copy the folder of an encoder in a collection, if it has one."""
    if record.is_on_server or not (record.path / name).is_dir():
        return
    with written_whole_folder(home / name) as temporary:
        shutil.copytree(record.path / name, temporary, dirs_exist_ok=True)


def _record_joined(record: Collection, target: str, copy: Store) -> None:
    """Write down in the target which encoders joined, and take along what it can hold of them."""
    theirs = _record(target, copy)
    new = {name: facts for name, facts in record.joined.items() if name not in theirs.joined}
    if not new:
        return
    whole = replace(theirs, joined=theirs.joined | new)
    if is_address(target):
        copy.describe(whole.content)
        return
    for facts in new.values():
        if facts["encoder"].startswith(f"{JOINED_ENCODERS}/"):
            _copy_encoder(record, theirs.path, facts["encoder"])
    whole.save()


def _joined(origin: Store, copy: Store) -> list[str]:
    """Let vectors that joined the source join the target, too; return their names."""
    joined = joined_vectors(origin)
    for name, facts in joined.items():
        copy.add_vector(name, facts["dimension"], facts["encoder"])
    return list(joined)


def _add_missing(
    origin: Store, copy: Store, joined: list[str], drawn: set[int], progress: bool
) -> tuple[int, list[str]]:
    """Copy what the target lacks; return how many that were, and the ids of points by number."""
    n_seen, n_copied, ids = 0, 0, []
    with tqdm(total=origin.count(), unit="points", disable=not progress) as bar:
        for page in in_pages(origin.scroll(with_vectors=True), _POINTS_PER_PAGE):
            missing = set(copy.missing([record.id for record in page]))
            lacking = [record for record in page if record.id in missing]
            if lacking:
                store_again(lacking, origin, copy, joined)
            for name in joined:
                _put_missing(origin, copy, page, name)
            ids += [record.id for row, record in enumerate(page, n_seen) if row in drawn]
            n_seen += len(page)
            n_copied += len(lacking)
            bar.update(len(page))
    return n_copied, ids


def _put_missing(origin: Store, copy: Store, page: list[Record], name: str) -> None:
    """Copy a vector of the points that have it in the source, and lack it in the target."""
    lacking = copy.missing([record.id for record in page], using=name)
    records = [
        record
        for record in origin.retrieve(lacking, with_vectors=name)
        if record.vector is not None
    ]
    if records:
        vectors = np.stack([record.vector for record in records])
        copy.put_vectors(name, [record.id for record in records], vectors)


def _check_counts(origin: Store, copy: Store, source: str, target: str) -> None:
    here, there = origin.count(), copy.count()
    if here != there:
        raise CollectionError(
            f"{source} has {here} points, and {target} has {there}: it holds points of something "
            "else. Copy to another place."
        )


def _check_equal(origin: Store, copy: Store, joined: list[str], ids: list[str], both: str) -> None:
    largest = max(_LARGEST_DIFFERENCE[_datatype(store)] for store in (origin, copy))
    for start in range(0, len(ids), _POINTS_PER_PAGE):
        page = ids[start : start + _POINTS_PER_PAGE]
        for name in (True, *joined):
            ours, theirs = (store.retrieve(page, with_vectors=name) for store in (origin, copy))
            for one, other in zip(ours, theirs, strict=True):
                if one.id != other.id or one.payload != other.payload:
                    what = "payload"
                elif not _is_same(one.vector, other.vector, largest):
                    what = "vector" if name is True else f"vector {name!r}"
                else:
                    continue
                raise CollectionError(
                    f"The point {one.id} has another {what} in one of {both}: it was indexed "
                    "again since. Remove the copy, then copy again."
                )


def _is_same(one: np.ndarray | None, other: np.ndarray | None, largest: float) -> bool:
    if one is None or other is None:
        return one is other
    return bool(np.abs(one - other).max() <= largest)


def _datatype(store: Store) -> str:
    return store.info().get("profile", {}).get("datatype", "float32")
