"""Say what a collection holds, without loading its encoder."""

from pathlib import Path

from astro_paperclip.building.ledger import Ledger
from astro_paperclip.building.stages import STAGES
from astro_paperclip.collection import Collection
from astro_paperclip.index import is_address, open_store

__all__ = ["describe_collection"]


def describe_collection(path: str | Path) -> dict:
    """Return what a collection holds.

    Parameters
    ----------
    path : str or path
        The collection's directory, or its address on a server.

    Returns
    -------
    description : dict
        ``collection``, ``points``, ``state``, ``encoder``, ``fingerprint``, ``dimension``,
        ``views``, ``created`` and ``modified``; ``joined``, where other encoders did; of one on a
        server, ``profile``, too. Before anything is indexed, no more than is known.

    Raises
    ------
    CollectionError
        If there is no collection, or it is damaged.
    """
    if is_address(path):
        with open_store(path) as store:
            return _described_on_server(path, store.info())
    home = Collection.open(path)
    if not home.is_indexed:
        entries = Ledger(home.path)
        done = [stage.name for stage in STAGES if entries.entry(stage.name).get("report")]
        return {
            "collection": str(home.path),
            "points": 0,
            "state": f"not indexed yet; done: {', '.join(done) or 'nothing'}",
            "created": home.created,
            "modified": home.modified,
        }
    with open_store(home.path) as store:
        return _described(home, store.info())


def _described_on_server(address: str, info: dict) -> dict:
    if info["collection"]:
        facts = _described(Collection.from_content(address, info["collection"]), info)
    else:
        names = {"points": "count", "state": "state", "fingerprint": "encoder"}
        facts = {"collection": address} | {name: info[key] for name, key in names.items()}
        facts["dimension"] = info["dimension"]
    loading = f", without its graph until: astro-paperclip index finish {address}"
    return facts | {
        "profile": info["profile"].get("name", "") + loading * info["is_loading"],
    }


def _described(home: Collection, info: dict) -> dict:
    joined = [
        f"{name} ({facts['encoder']}), {info['vectors'][name]['count']} points"
        for name, facts in home.joined.items()
        if name in info["vectors"]
    ]
    return {
        "collection": str(home.path),
        "points": info["count"],
        "state": info["state"],
        "encoder": home.encoder_name,
        "fingerprint": home.encoder_fingerprint,
        "dimension": info["dimension"],
        "views": home.views,
        **({"joined": "; ".join(joined)} if joined else {}),
        "created": home.created,
        "modified": home.modified,
    }
