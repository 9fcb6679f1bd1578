"""How a result is looked at: pictures beside rows, galleries, the sky."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from astropy.visualization.wcsaxes import WCSAxes

    from astro_paperclip.notebook.gallery import Figure
    from astro_paperclip.notebook.html_view import HtmlView
    from astro_paperclip.notebook.sky_view import SkyView

__all__ = ["ResultViews"]

# They need a collection: docs/test_docstrings.py has one, and runs them.
__doctest_skip__ = ["*"]


class ResultViews:
    """Methods of a result that show it."""

    def _repr_html_(self) -> str:
        view = self._table_view()
        return super()._repr_html_() if view is None else view.html

    def show_table(
        self, *, rows: int = 100, pictures: int = 50, side: int = 96, remote: bool = False
    ) -> "HtmlView":
        """Show the table with its pictures; the last line of a notebook's cell does so by itself.

        The pictures are small copies of the files that the column ``image`` names, within the
        page; they lead to the whole picture at MAST, ``obsid`` leads to MAST's portal, and
        ``proposal_id`` to the page of the proposal. Texts are shown as texts, whatever they hold.

        Parameters
        ----------
        rows : int
            Largest number of rows.
        pictures : int
            Largest number of pictures; rows beyond have none.
        side : int
            Longest side of a picture [pixel], 8 to 1024.
        remote : bool
            Whether the browser may load pictures that are not on disk from MAST (``preview`` or
            ``jpegURL``). Nothing is loaded from any other server, and nothing at all by default.

        Returns
        -------
        view : HtmlView
            A notebook shows it; ``write(path)`` makes a page of it that needs no other file.

        Raises
        ------
        InvalidQueryError
            If a number makes no sense, or there is no picture of any row.

        Examples
        --------
        >>> from astro_paperclip import PaperclipMast
        >>> result = PaperclipMast.query_text("a comet", collection="hubble", limit=3)
        >>> result.show_table(side=64).html.count("<img")
        3
        """
        from astro_paperclip.exceptions import InvalidQueryError

        if isinstance(rows, bool) or not isinstance(rows, int) or rows < 1:
            raise InvalidQueryError(f"rows must be a whole number above 0, not {rows!r}.")
        view = self._table_view(rows=rows, pictures=pictures, side=side, remote=remote)
        if view is None:
            raise InvalidQueryError(
                "There is no picture to show: no file that the column image names can be read. "
                "get_previews() fetches them from MAST, and remote=True lets the browser do it."
            )
        return view

    def show_grid(self, *, pictures: int = 24, side: int = 160, remote: bool = False) -> "HtmlView":
        """Show the best pictures side by side, with ranks, scores and names.

        Parameters
        ----------
        pictures : int
            Largest number of pictures.
        side : int
            Longest side of a picture [pixel], 8 to 1024.
        remote : bool
            Whether the browser may load pictures that are not on disk from MAST.

        Returns
        -------
        view : HtmlView
            A notebook shows it; ``write(path)`` makes a page of it that needs no other file.

        Raises
        ------
        InvalidQueryError
            If a number makes no sense, or the result is empty.

        Examples
        --------
        >>> from astro_paperclip import PaperclipMast
        >>> result = PaperclipMast.query_text("a comet", collection="hubble", limit=3)
        >>> result.show_grid(pictures=2).html.count("<img")
        2
        """
        from astro_paperclip.notebook.gallery import heading_of
        from astro_paperclip.notebook.grid_html import grid_view
        from astro_paperclip.notebook.rows import PictureLimits

        limits = PictureLimits(side=side, pictures=pictures)
        return grid_view(self, limits, title=heading_of(self), remote=remote)

    def show_gallery(self, *, pictures: int = 12, per_row: int = 6, footer: str = "") -> "Figure":
        """Draw the best pictures with matplotlib, for a paper or a talk.

        Parameters
        ----------
        pictures : int
            Largest number of pictures.
        per_row : int
            Number of pictures side by side.
        footer : str
            A line below.

        Returns
        -------
        figure : `matplotlib.figure.Figure`
            A notebook shows it; ``savefig`` saves it.

        Raises
        ------
        InvalidQueryError
            If a number makes no sense, or the result is empty.
        ImportError
            If matplotlib is not installed: ``pip install 'astro_paperclip[notebook]'``.

        Examples
        --------
        >>> from astro_paperclip import PaperclipMast
        >>> result = PaperclipMast.query_text("a comet", collection="hubble", limit=3)
        >>> figure = result.show_gallery(per_row=3)
        >>> figure.savefig("comets.pdf")
        """
        from astro_paperclip.notebook.gallery import draw_gallery

        return draw_gallery(self, pictures=pictures, per_row=per_row, footer=footer)

    def show_sky(self, **options: Any) -> "SkyView":
        """Show the footprints on a map of the sky in a notebook, and select some of them.

        Parameters
        ----------
        **options
            ``color`` of the footprints, and options of ``ipyaladin.Aladin`` such as ``survey``,
            ``fov`` and ``height``.

        Returns
        -------
        view : SkyView
            Its ``selection`` is a result with the observations that are selected on the map, and
            ``on_selection(function)`` calls a function with them.

        Raises
        ------
        InvalidQueryError
            If no row has a footprint or a position.
        ImportError
            If ipyaladin is not installed: ``pip install 'astro_paperclip[notebook]'``.

        Notes
        -----
        The browser loads Aladin Lite and the pictures of the sky from the network.

        Examples
        --------
        >>> from astro_paperclip import PaperclipMast
        >>> result = PaperclipMast.query_text("a comet", collection="hubble", limit=3)
        >>> view = result.show_sky(fov=0.5)
        >>> len(view.selection)
        0
        """
        from astro_paperclip.notebook.sky_view import SkyView

        return SkyView(self, self._shapes(), self.coords, **options)

    def plot_footprints(self, ax: "WCSAxes | None" = None) -> "WCSAxes":
        """Draw the footprints, labelled with their ranks, with matplotlib.

        Parameters
        ----------
        ax : `~astropy.visualization.wcsaxes.WCSAxes`, optional
            Where to draw; its limits stay. Default: axes of a new figure that hold everything.

        Returns
        -------
        ax : `~astropy.visualization.wcsaxes.WCSAxes`
            Its ``figure`` is the new figure.

        Raises
        ------
        InvalidQueryError
            If no row has a footprint or a position, or ``ax`` does not know the sky.
        ImportError
            If matplotlib is not installed: ``pip install 'astro_paperclip[notebook]'``.

        Examples
        --------
        >>> from astro_paperclip import PaperclipMast
        >>> result = PaperclipMast.query_text("a comet", collection="hubble", limit=3)
        >>> ax = result[:1].plot_footprints()
        >>> ax.figure.savefig("footprint.pdf")
        """
        from astro_paperclip.notebook.footprint_plot import draw_footprints

        labels = [str(rank) for rank in self["rank"]] if "rank" in self.colnames else None
        labels = [""] * len(self) if labels is None else labels
        return draw_footprints(self._shapes(), self.coords, labels, ax)

    def _table_view(
        self, rows: int = 100, pictures: int = 50, side: int = 96, remote: bool = False
    ) -> "HtmlView | None":
        from astro_paperclip.notebook.rows import PictureLimits
        from astro_paperclip.notebook.table_html import table_view
        from astro_paperclip.results.printing import telling_columns

        limits = PictureLimits(side=side, pictures=pictures)
        names = telling_columns(self, self.display_columns)
        return table_view(self, names, limits, rows=rows, remote=remote)
