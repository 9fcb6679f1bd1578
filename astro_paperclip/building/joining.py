"""A second encoder for a collection: its vectors join those that are there."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from astro_paperclip import encoders
from astro_paperclip.building.paths import local_path
from astro_paperclip.building.report import warn_of_skipped, with_skipped
from astro_paperclip.collection import JOINED_ENCODERS, Collection
from astro_paperclip.encoders import Encoder
from astro_paperclip.encoders.views import check_views
from astro_paperclip.exceptions import CollectionError, IndexMismatchError
from astro_paperclip.files import written_whole_folder
from astro_paperclip.index import Store, open_store

__all__ = ["JoinReport", "join_encoder"]


@dataclass(frozen=True)
class JoinReport:
    """What an encoder that joined a collection did; the numbers add up to the number of points.

    Parameters
    ----------
    collection : `~pathlib.Path`
        The collection's directory.
    vector : str
        Name of the encoder's vector in the index.
    n_added : int
        Points whose pictures were encoded.
    n_present : int
        Points that had the vector already and were left alone.
    skipped : list of tuple
        Image and reason of every point that was left out.
    """

    collection: Path
    vector: str
    n_added: int
    n_present: int
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def summary(self) -> str:
        """Return what was done, in a few lines."""
        done = (
            f"{self.collection}: {self.n_added} vectors {self.vector!r} added, {self.n_present} "
            f"already there, {len(self.skipped)} pictures skipped."
        )
        return with_skipped(done, self.skipped)


def join_encoder(
    collection: str | Path,
    encoder: str | Encoder,
    *,
    name: str | None = None,
    device: str | None = None,
    views: str | None = None,
    batch_size: int | None = None,
    progress: bool = True,
) -> JoinReport:
    """Encode the pictures of a collection with another encoder, beside the one that made it.

    What is there stays as it is, and searches go on as before; those that name the other encoder
    are answered by its vectors. An interrupted run goes on where it stopped, and points that were
    indexed since the last one are added.

    Parameters
    ----------
    collection : str or path
        The collection's directory.
    encoder : str or Encoder
        An encoder or its name. A folder is copied into the collection.
    name : str, optional
        Name of its vectors in the index. Default: the encoder's own, as far as it can be one.
    device : str, optional
        Where the encoder runs.
    views : str, optional
        Views of a picture that are averaged. Default: those of the collection.
    batch_size : int, optional
        Pictures that are encoded together.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    report : JoinReport
        What was added, what was there, what was skipped and why.

    Raises
    ------
    CollectionError
        If there is no collection with an index.
    CollectionLockedError
        If another process has it open.
    EncoderError
        If the encoder can't be loaded, or the views are unknown.
    IndexMismatchError
        If it is the encoder that made the collection, or it joined it with other views or under
        another name, or another encoder has vectors of that name.

    Warns
    -----
    SkippedImageWarning
        If a picture can't be read, or a row names none; its point has no such vector.
    """
    if views is not None:
        check_views(views)
    home = Collection.open(local_path(collection))
    if not home.is_indexed:
        raise CollectionError(f"There is no index in {home.path} yet which an encoder could join.")
    if not isinstance(encoder, Encoder):
        encoder = encoders.load(encoder, device)
    if encoder.fingerprint == home.encoder_fingerprint:
        raise IndexMismatchError(
            f"{home.path} was indexed with the encoder {encoder.name!r} "
            f"({encoder.fingerprint[:12]}): another one can join it."
        )
    with open_store(home.path, mode="w") as store:
        # Another one may have joined while this one was loaded.
        before = Collection.open(home.path)
        name = _vector_name(store, encoder, name)
        home = _recorded(before, name, encoder, views)
        store.add_vector(name, encoder.dim, encoder=encoder.fingerprint)
        _keep(home, name, encoder, is_known=name in before.joined)
        home = home.save()
        images = {record.id: record.payload.get("image") for record in store.scroll()}
        missing = store.missing(list(images), using=name)
        how = {"views": home.joined[name]["views"], "batch_size": batch_size, "progress": progress}
        skipped = [(id_, "its row names no image") for id_ in missing if not images[id_]]
        paths = {id_: str(home.path / images[id_]) for id_ in missing if images[id_]}
        skipped += _add(store, name, paths, encoder, **how)
    report = JoinReport(
        collection=home.path,
        vector=name,
        n_added=len(missing) - len(skipped),
        n_present=len(images) - len(missing),
        skipped=skipped,
    )
    warn_of_skipped(skipped, len(images))
    return report


def _vector_name(store: Store, encoder: Encoder, name: str | None) -> str:
    """Return the name of the encoder's vectors, which is the same whenever it joins again."""
    known = store.vector_of(encoder.fingerprint)
    if known and name not in (None, known):
        raise IndexMismatchError(
            f"The encoder {encoder.name!r} has vectors in the index already, of the name "
            f"{known!r}, not {name!r}: leave the name out."
        )
    return known or name or _name_of(encoder)


def _name_of(encoder: Encoder) -> str:
    name = encoder.name if encoder.folder is None else encoder.folder.name
    words = re.findall(r"[A-Za-z0-9]+", name)
    return "-".join(words)[:32] or "joined"


def _recorded(home: Collection, name: str, encoder: Encoder, views: str | None) -> Collection:
    """Return the collection with what is to be recorded of the encoder, or raise."""
    known = home.joined.get(name)
    views = views or (known["views"] if known else home.views)
    if known and known["fingerprint"] != encoder.fingerprint:
        raise IndexMismatchError(
            f"{home.path} has vectors {name!r} of another encoder, {known['encoder']!r} "
            f"({known['fingerprint'][:12]}): choose another name."
        )
    if known and known["views"] != views:
        raise IndexMismatchError(
            f"The encoder {name!r} joined {home.path} with the views {known['views']!r}, not "
            f"{views!r}: use those, or let it join another collection."
        )
    where = f"{JOINED_ENCODERS}/{name}" if encoder.folder is not None else encoder.name
    facts = {"encoder": where, "fingerprint": encoder.fingerprint, "views": views}
    return replace(home, joined=home.joined | {name: facts})


def _keep(home: Collection, name: str, encoder: Encoder, *, is_known: bool) -> None:
    """Keep an encoder of a folder in the collection, unless that is known to be done."""
    kept = home.path / JOINED_ENCODERS / name
    if encoder.folder is not None and not (is_known and kept.exists()):
        # The collection must not lose its encoder when the training run is tidied away.
        with written_whole_folder(kept) as copied:
            encoders.write(encoder, copied)


def _add(
    store: Store, name: str, images: Mapping[str, str], encoder: Encoder, **options
) -> list[tuple[str, str]]:
    """Encode the pictures of points and store their vectors; return what can't be read."""
    ids, paths, skipped = list(images), list(images.values()), []
    for positions, vectors, broken in encoder.encode_image_files(
        paths, skip_broken=True, **options
    ):
        skipped += [(paths[position], message) for position, message in broken]
        if len(positions):
            store.put_vectors(name, [ids[position] for position in positions], vectors)
    return skipped
