"""The table that a query returns."""

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import MaskedColumn, Table, TableAttribute

from astro_paperclip.columns import CONTRACT_COLUMNS, RANKING_COLUMNS
from astro_paperclip.results.cells import hit_columns, unmasked
from astro_paperclip.results.files import register_formats
from astro_paperclip.results.holdings import ResultHoldings
from astro_paperclip.results.printing import ResultFormatter
from astro_paperclip.results.provenance import (
    KEYWORD,
    distinct_searches,
    search_record,
    written_searches,
)
from astro_paperclip.results.summary import DISPLAY_COLUMNS, summarized
from astro_paperclip.results.views import ResultViews

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord
    from astropy.io.votable.tree import VOTableFile
    from regions import Regions

    from astro_paperclip.sky.export import MOC
    from astro_paperclip.vo.dal import SIA2Results

__all__ = ["PaperclipResult"]


class PaperclipResult(ResultViews, ResultHoldings, Table):
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
        """
        return distinct_searches(self.meta)

    @property
    def query(self) -> dict | None:
        """What was asked, or `None` where rows of several searches were stacked."""
        return self._of_the_search("query")

    @property
    def index_info(self) -> dict | None:
        """What was searched, or `None` where rows of several searches were stacked."""
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
        """
        return summarized(self, self.display_columns, width)

    @property
    def coords(self) -> "SkyCoord":
        """Positions (ICRS), one for each row: ``s_ra`` and ``s_dec``, else ``ra`` and ``dec``.

        Both are NaN in rows without a position.
        """
        from astropy.coordinates import SkyCoord

        ra, dec = (self._degrees(*names) for names in (("s_ra", "ra"), ("s_dec", "dec")))
        is_known = np.isfinite(ra) & np.isfinite(dec) & (np.abs(dec) <= 90)
        return SkyCoord(np.where(is_known, ra, np.nan), np.where(is_known, dec, np.nan), unit="deg")

    def footprints(self) -> "list[Regions]":
        """Return the footprints of the observations, ``s_region``, as regions on the sky.

        Returns
        -------
        footprints : list of `~regions.Regions`
            One for each row, with as many circles and polygons (ICRS) as the footprint has:
            four where each chip of WFPC2 is outlined. Empty in rows without a footprint that can
            be read. Vertices go clockwise, as `~astro_paperclip.sky.regions_of` has them.
        """
        from regions import Regions

        from astro_paperclip.sky import regions_of

        return [Regions([]) if shape is None else regions_of(shape) for shape in self._shapes()]

    def to_moc(self, max_depth: int = 14) -> "MOC":
        """Return the part of the sky that the footprints cover, as a map of HEALPix cells.

        Parameters
        ----------
        max_depth : int
            Order of the smallest cells, from 0 to 29; those of the default are 13 arcsec wide.
            All cells that a footprint touches belong to the map.

        Returns
        -------
        moc : `mocpy.MOC`
            Rows without a footprint add nothing.

        Raises
        ------
        InvalidQueryError
            If there is no such order.
        ImportError
            If mocpy is not installed: ``pip install 'astro_paperclip[vo]'``.
        """
        from astro_paperclip.sky import moc_of

        return moc_of((shape for shape in self._shapes() if shape is not None), max_depth)

    def to_ds9(self, path: str | os.PathLike, *, overwrite: bool = False) -> None:
        """Write the footprints as a region file of DS9, whole or not at all.

        Each is labelled with the rank and the name of its target. Rows without a footprint are
        points at their position; those without a position are left out.

        Parameters
        ----------
        path : str or path-like
            The file, ``.reg`` by custom.
        overwrite : bool
            Whether to replace a file that is there.

        Raises
        ------
        InvalidQueryError
            If no row has a footprint or a position.
        OSError
            If the file is there and shall not be replaced.
        """
        from astro_paperclip.sky import write_ds9

        names = [name for name in ("rank", "target_name") if name in self.colnames]
        labels = [" ".join(str(row[name]) for name in names) for row in self]
        write_ds9(path, self._shapes(), self.coords, labels, overwrite=overwrite)

    def to_obscore(self, products: Table | None = None) -> Table:
        """Return the observations in ObsCore 1.1, the data model of the Virtual Observatory.

        Parameters
        ----------
        products : `~astropy.table.Table`, optional
            Products of these observations, as `get_product_list` returns them: sizes of the files
            are taken from them.

        Returns
        -------
        table : `~astropy.table.Table`
            All columns that the standard demands, in its order and units, then ``obs_title``,
            ``proposal_id``, ``rank`` and ``score``; masked where nothing is known. See
            `~astro_paperclip.vo.obscore_table`.
        """
        from astro_paperclip.vo import obscore_table

        sizes = {}
        if products is not None:
            uris, numbers = products["dataURI"].tolist(), products["size"].tolist()
            sizes = dict(zip(uris, numbers, strict=True))
        return obscore_table(self, sizes)

    def to_votable(self) -> "VOTableFile":
        """Return the table as a VOTable, with its provenance.

        Returns
        -------
        votable : `~astropy.io.votable.tree.VOTableFile`
            With units, UCDs, utypes and descriptions. The search is in INFO elements as the IVOA
            note DataOrigin has them, which `astropy.io.votable.dataorigin` reads; ``SEARCHES`` has
            all of ``searches`` in JSON. ``result.write("result.vot", format="votable")`` writes
            the same.
        """
        from astro_paperclip.vo import make_votable

        return make_votable(
            self,
            searches=self.searches,
            infos={KEYWORD: written_searches(self.searches)} if self.searches else {},
            description="Observations ranked by what they show",
        )

    def to_dal(self) -> "SIA2Results":
        """Return the observations as pyvo's image searches do.

        Returns
        -------
        results : `pyvo.dal.SIA2Results`
            The table of `to_obscore`. Its records have ``getdataurl()``, ``cachedataset()``,
            ``s_region`` and so on.
        """
        from astro_paperclip.vo import sia2_results

        return sia2_results(self.to_obscore(), self.searches)

    def broadcast_samp(self, client_name: str | None = None) -> None:
        """Send the table to programs that listen by SAMP: TOPCAT or Aladin, for instance.

        Parameters
        ----------
        client_name : str, optional
            Name of the one program that gets it. Default: all that read tables.

        Raises
        ------
        SampError
            If no hub is running, or no program there reads tables or this one.
        InvalidQueryError
            If there is no program of this name.
        """
        from astro_paperclip.vo import broadcast_table

        title = (self.query or {}).get("text") or "Ranked observations"
        broadcast_table(self.to_votable(), name=title, client_name=client_name)

    def _of_the_search(self, part: str) -> dict | None:
        searches = self.searches
        return searches[0][part] if len(searches) == 1 else None

    def _shapes(self) -> list:
        """Return the footprint of each row, `None` where there is none that can be read."""
        from astro_paperclip.sky import known_footprint

        if "s_region" not in self.colnames:
            return [None] * len(self)
        return [known_footprint(text) for text in self["s_region"].tolist()]

    def _degrees(self, *names: str) -> np.ndarray:
        """Return the first column of numbers that knows a row's value, NaN where none does."""
        values = np.full(len(self), np.nan)
        for name in names:
            if name in self.colnames and self[name].dtype.kind in "iuf":
                column = np.ma.filled(np.ma.asarray(self[name], dtype=float), np.nan)
                values = np.where(np.isnan(values), column, values)
        return values


register_formats(PaperclipResult)
