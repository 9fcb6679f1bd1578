"""The table that a query returns."""

from collections.abc import Iterable, Mapping
from typing import Any

from astropy.table import MaskedColumn, Table, TableAttribute

from astro_paperclip.columns import CONTRACT_COLUMNS, RANKING_COLUMNS
from astro_paperclip.results.cells import hit_columns, unmasked
from astro_paperclip.results.exports import ResultExports
from astro_paperclip.results.files import register_formats
from astro_paperclip.results.holdings import ResultHoldings
from astro_paperclip.results.printing import ResultFormatter
from astro_paperclip.results.provenance import (
    distinct_searches,
    search_record,
)
from astro_paperclip.results.summary import DISPLAY_COLUMNS, summarized
from astro_paperclip.results.views import ResultViews

__all__ = ["PaperclipResult"]


class PaperclipResult(ResultViews, ResultExports, ResultHoldings, Table):
    """Ranked observations: a `~astropy.table.Table` that remembers the search it came from.

    ``rank``, ``score`` and ``score_percentile`` come first, then the columns that
    `astroquery.mast.Observations` asks for: ``obsid``, ``obs_id``, ``target_name`` and
    ``obs_collection``, which are always there as text without missing values (``""`` where
    unknown). MAST's other columns and whatever else the index holds follow, missing values
    masked. Units, descriptions, UCDs and utypes are set where `astro_paperclip.columns` knows
    them.

    In a terminal that is too narrow for all columns, ``display_columns`` come first, and a last
    line says which are not shown; ``colnames`` keeps its order. In a notebook the pictures that
    are on disk stand beside the rows.

    A result is sliced, masked, stacked, pickled and written like any other table. Where it came
    from is in ``meta["searches"]``, one record for each search that the rows stem from;
    ``PaperclipResult.read`` finds it in ECSV, VOTable and FITS files.

    Attributes
    ----------
    display_columns : list of str
        Names of the columns that `summary` shows, and that come first where a table is printed
        or shown and not all fit. Assign a list of your own to change it.

    Examples
    --------
    >>> from astro_paperclip import PaperclipResult
    >>> result = PaperclipResult.from_hits([], query={"kind": "text", "text": "a comet"})
    >>> result.colnames
    ['rank', 'score', 'score_percentile', 'obsid', 'obs_id', 'target_name', 'obs_collection']
    >>> result.query["text"]
    'a comet'

    >>> from types import SimpleNamespace
    >>> hit = SimpleNamespace(id="a", score=0.3, payload={"s_region": "CIRCLE J2000 10 20 0.1"})
    >>> PaperclipResult.from_hits([hit]).to_obscore()["s_region"].tolist()
    ['CIRCLE ICRS 10.0 20.0 0.1']
    """

    TableFormatter = ResultFormatter
    display_columns = TableAttribute(default=DISPLAY_COLUMNS)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        # An ECSV file cannot tell "" from a missing value, and MAST's functions turn a masked
        # obsid into the text "None".
        for name in CONTRACT_COLUMNS[len(RANKING_COLUMNS) :]:
            if name in self.colnames and isinstance(self[name], MaskedColumn):
                self[name] = unmasked(self[name])

    @classmethod
    def from_hits(
        cls,
        hits: Iterable,
        *,
        query: Mapping[str, Any] | None = None,
        index_info: Mapping[str, Any] | None = None,
    ) -> "PaperclipResult":
        """Make a table of what the index found.

        Parameters
        ----------
        hits : iterable
            Objects with ``.id`` (str), ``.score`` (float), ``.payload`` (mapping of column
            names to values; `None`, NaN or absence is a missing value) and, where it is known,
            ``.percentile`` (float).
        query : mapping, optional
            What was asked: JSON-like values. ``offset`` says how many better matches were
            passed over, so that ranks go on from there.
        index_info : mapping, optional
            What was searched: JSON-like values.

        Returns
        -------
        PaperclipResult
            One row a hit, by falling score; equal scores by ``obsid``, then by id.

        Notes
        -----
        An ``obsid`` that is not a positive whole number is no key to MAST's products, and is
        given as unknown (``""``). Ranks and scores are the search's own, whatever a payload
        holds under these names.

        Examples
        --------
        >>> from types import SimpleNamespace
        >>> from astro_paperclip import PaperclipResult
        >>> hits = [SimpleNamespace(id="a", score=0.3, payload={"obsid": 2003738726})]
        >>> result = PaperclipResult.from_hits(hits, query={"offset": 9})
        >>> result["rank"].tolist(), result["obsid"].tolist()
        ([10], ['2003738726'])
        """
        query = dict(query or {})
        table = cls(hit_columns(hits, int(query.get("offset", 0)) + 1))
        table.meta["searches"] = [search_record(query, index_info)]
        return table

    @property
    def searches(self) -> list[dict]:
        """Records of the searches that the rows stem from, each once.

        A record holds ``query`` (what was asked), ``index`` (what was searched), ``software``
        (versions) and ``date`` (UTC).

        Examples
        --------
        >>> from astro_paperclip import PaperclipResult
        >>> result = PaperclipResult.from_hits([], query={"text": "a comet"})
        >>> [sorted(search) for search in result.searches]
        [['date', 'index', 'query', 'software']]
        """
        return distinct_searches(self.meta)

    @property
    def query(self) -> dict | None:
        """What was asked, or `None` where rows of several searches were stacked.

        Examples
        --------
        >>> from astro_paperclip import PaperclipResult
        >>> PaperclipResult.from_hits([], query={"text": "a comet"}).query
        {'text': 'a comet'}
        """
        return self._of_the_search("query")

    @property
    def index_info(self) -> dict | None:
        """What was searched, or `None` where rows of several searches were stacked.

        Examples
        --------
        >>> from astro_paperclip import PaperclipResult
        >>> PaperclipResult.from_hits([], index_info={"collection": "hubble"}).index_info
        {'collection': 'hubble'}
        """
        return self._of_the_search("index")

    def summary(self, width: int | None = None) -> Table:
        """Give a short table to print: the display columns that have something to say.

        Columns without a value, and columns that repeat an earlier one, are left out. Where
        nothing but the score is known of the images, their file names are given.

        Parameters
        ----------
        width : int, optional
            Number of characters that a printed line may have. Long text is cut to fit, then
            columns are left out from the right. Default: no limit.

        Returns
        -------
        `~astropy.table.Table`
            A plain table in the order of the rows: numbers for rank and scores, else text.

        Examples
        --------
        >>> from types import SimpleNamespace
        >>> from astro_paperclip import PaperclipResult
        >>> hit = SimpleNamespace(id="a", score=0.3, payload={"target_name": "M 51"})
        >>> PaperclipResult.from_hits([hit]).summary().colnames
        ['rank', 'score', 'target_name']
        """
        return summarized(self, self.display_columns, width)

    def _of_the_search(self, part: str) -> dict | None:
        searches = self.searches
        return searches[0][part] if len(searches) == 1 else None


register_formats(PaperclipResult)
