"""Give the proposals of a collection summaries, and its pairs with them."""

import os
from pathlib import Path

from astropy.table import Column, Table

from astro_paperclip import archive
from astro_paperclip.building.builder import columns_added
from astro_paperclip.building.paths import local_path
from astro_paperclip.collection import Collection
from astro_paperclip.columns import COLUMNS, text_array
from astro_paperclip.exceptions import CollectionError
from astro_paperclip.pairs import read_pairs, write_pairs
from astro_paperclip.pairs.summarize import (
    RuleSummarizer,
    Summarizer,
    SummaryCache,
    SummaryReport,
    summarize_texts,
)

__all__ = ["summarize_collection"]

_CACHE = "summaries.jsonl"


def summarize_collection(
    collection: str | os.PathLike,
    summarizer: Summarizer | None = None,
    *,
    attempts: int = 4,
    batch_size: int = 32,
    seed: int = 0,
    progress: bool = True,
) -> SummaryReport:
    """Summarize the abstracts of a collection's proposals.

    The captions of the summaries become the column ``summary`` of ``proposals.parquet`` and of
    ``pairs.parquet``, where `~astro_paperclip.training.train` finds them; it is empty for
    proposals without one. The lists themselves are in ``summaries.jsonl``, which is also what
    a run that was stopped goes on from. An index is left as it is.

    Parameters
    ----------
    collection : str or path-like
        The collection's directory.
    summarizer : Summarizer, optional
        Who makes the summaries. Default:
        `~astro_paperclip.pairs.summarize.RuleSummarizer`.
    attempts, batch_size, seed, progress
        As for `~astro_paperclip.pairs.summarize.summarize_texts`.

    Returns
    -------
    SummaryReport
        Summaries and failures by the numbers of the proposals; by ``group_id`` where the
        collection has pairs only, whose texts are summarized then.

    Raises
    ------
    CollectionError
        If there is no such collection, or it holds neither proposals nor pairs.
    CollectionLockedError
        If another process builds it.
    LanguageModelError
        If the summarizer asks a model that fails for good; what was complete is kept.
    """
    home = Collection.open(local_path(collection))
    summarizer = RuleSummarizer() if summarizer is None else summarizer
    with columns_added(home.path):
        proposals = _read(archive.read_table, home.proposals_path)
        pairs = _read(_read_pairs, home.pairs_path)
        if proposals is None and pairs is None:
            raise CollectionError(
                f"{home.path} holds no abstracts: it has neither {home.proposals_path.name} nor "
                f"{home.pairs_path.name}. 'astro-paperclip build' writes both."
            )
        texts = _texts_of_pairs(pairs) if proposals is None else _texts_of_proposals(proposals)
        with SummaryCache(home.path / _CACHE) as cache:
            report = summarize_texts(
                texts,
                summarizer,
                cache,
                attempts=attempts,
                batch_size=batch_size,
                seed=seed,
                progress=progress,
            )
        if pairs is not None:
            keys = _keys_of_pairs(pairs, by_text=proposals is None)
            _set_summaries(pairs, keys, report)
            write_pairs(pairs, home.pairs_path)
        if proposals is not None:
            _set_summaries(proposals, list(texts), report)
            archive.write_table(proposals, home.proposals_path)
    return report


def _read(reader, path: Path) -> Table | None:
    return reader(path) if path.exists() else None


def _read_pairs(path: Path) -> Table:
    return read_pairs(path, check_images=False)


def _texts_of_proposals(proposals: Table) -> dict[str, str]:
    return dict(
        zip(map(str, proposals["proposal_id"]), map(str, proposals["abstract"]), strict=True)
    )


def _texts_of_pairs(pairs: Table) -> dict[str, str]:
    """Return each different text of pairs by its key."""
    return dict(zip(_keys_of_pairs(pairs, by_text=True), map(str, pairs["text"]), strict=True))


def _keys_of_pairs(pairs: Table, *, by_text: bool) -> list[str]:
    """Return the name of each row's text: its proposal, or its group and a count of its texts."""
    if not by_text:
        has_proposal = "proposal_id" in pairs.colnames
        return [str(name) for name in pairs["proposal_id" if has_proposal else "group_id"]]
    texts_of: dict[str, dict[str, int]] = {}
    keys = []
    for group, text in zip(pairs["group_id"], pairs["text"], strict=True):
        texts = texts_of.setdefault(str(group), {})
        number = texts.setdefault(str(text), len(texts) + 1)
        keys.append(str(group) if number == 1 else f"{group} ({number})")
    return keys


def _set_summaries(table: Table, keys: list[str], report: SummaryReport) -> None:
    """Write the captions into a table, matching numbers that are filled up with zeros or not."""
    captions = {_plain(name): summary.as_caption() for name, summary in report.summaries.items()}
    values = [captions.get(_plain(key), "") for key in keys]
    table["summary"] = Column(text_array(values), description=COLUMNS["summary"].description)
    table.meta["summarizer"] = report.summarizer


def _plain(name: str) -> str:
    return name.strip().lstrip("0")
