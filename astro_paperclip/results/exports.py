"""Ways out of a result: shapes on the sky, region files, tables of the Virtual Observatory."""

import os
from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Table

from astro_paperclip.results.provenance import KEYWORD, written_searches

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord
    from astropy.io.votable.tree import VOTableFile
    from regions import Regions

    from astro_paperclip.sky.export import MOC
    from astro_paperclip.vo.dal import SIA2Results

__all__ = ["ResultExports"]

# They need a collection: docs/test_docstrings.py has one, and runs them.
__doctest_skip__ = ["*"]


class ResultExports:
    """Methods of a result that bring it elsewhere."""

    @property
    def coords(self) -> "SkyCoord":
        """Positions (ICRS), one for each row: ``s_ra`` and ``s_dec``, else ``ra`` and ``dec``.

        Both are NaN in rows without a position.

        Examples
        --------
        >>> from astro_paperclip import PaperclipMast
        >>> result = PaperclipMast.query_text("a comet", collection="hubble", limit=3)
        >>> len(result.coords), result.coords.frame.name
        (3, 'icrs')
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

        Examples
        --------
        >>> from astro_paperclip import PaperclipMast
        >>> result = PaperclipMast.query_text("a comet", collection="hubble", limit=3)
        >>> outlines = result.footprints()
        >>> len(outlines), type(outlines[0]).__name__
        (3, 'Regions')
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

        Examples
        --------
        >>> from astro_paperclip import PaperclipMast
        >>> result = PaperclipMast.query_text("a comet", collection="hubble", limit=3)
        >>> moc = result.to_moc()
        >>> 0 < moc.sky_fraction < 1e-5
        True
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

        Examples
        --------
        >>> from astro_paperclip import PaperclipMast
        >>> result = PaperclipMast.query_text("a comet", collection="hubble", limit=3)
        >>> result.to_ds9("comets.reg", overwrite=True)
        >>> from regions import Regions
        >>> len(Regions.read("comets.reg", format="ds9")) >= 3
        True
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

        Examples
        --------
        >>> from astro_paperclip import PaperclipMast
        >>> result = PaperclipMast.query_text("a comet", collection="hubble", limit=3)
        >>> obscore = result.to_obscore()
        >>> obscore.colnames[:3], obscore["em_min"].unit
        (['dataproduct_type', 'calib_level', 'obs_collection'], Unit("m"))
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

        Examples
        --------
        >>> from astro_paperclip import PaperclipMast
        >>> result = PaperclipMast.query_text("a comet", collection="hubble", limit=3)
        >>> votable = result.to_votable()
        >>> len(votable.get_first_table().to_table())
        3
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

        Examples
        --------
        >>> from astro_paperclip import PaperclipMast
        >>> result = PaperclipMast.query_text("a comet", collection="hubble", limit=3)
        >>> records = result.to_dal()
        >>> len(records), records[0].getdataurl().startswith("http")
        (3, True)
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

        Examples
        --------
        >>> from astro_paperclip import PaperclipMast
        >>> result = PaperclipMast.query_text("a comet", collection="hubble", limit=3)
        >>> result.broadcast_samp("topcat")  # doctest: +SKIP
        """
        from astro_paperclip.vo import broadcast_table

        title = (self.query or {}).get("text") or "Ranked observations"
        broadcast_table(self.to_votable(), name=title, client_name=client_name)

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
