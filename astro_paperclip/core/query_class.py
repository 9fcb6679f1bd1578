"""The query class itself, an instance of which is ready to use."""

from astro_paperclip import archive
from astro_paperclip.core.cataloguing import CataloguingQueries
from astro_paperclip.core.describing import DescribingQueries
from astro_paperclip.core.selection import SelectionQueries

__all__ = ["PaperclipMast", "PaperclipMastClass"]

# They need a collection: docs/test_docstrings.py has one, and runs them.
__doctest_skip__ = ["*"]


class PaperclipMastClass(SelectionQueries, DescribingQueries, CataloguingQueries):
    """Search observations by what they show.

    `PaperclipMast` is an instance; calling it, ``PaperclipMast(collection=...)``, gives a fresh
    one, as with all of astroquery's classes. Nothing is read before the first query; from then
    on the encoder and the index stay open until ``close()``, or the end of a ``with`` block.
    Threads may share an instance.

    Parameters
    ----------
    collection : str or `os.PathLike`, optional
        The collection that is searched: a directory, or the address of one on a Qdrant server,
        ``https://HOST:6333/NAME``. Default: ``conf.collection``, else ``conf.qdrant_url``.
    encoder : str or object, optional
        Name of an encoder, or what `astro_paperclip.encoders.load` gave. It must be the one
        that the collection was indexed with, or one that joined it. Default: ``conf.encoder``,
        else the one that the collection names.
    device : str, optional
        Where the encoder runs: ``"cpu"``, ``"cuda"``, ``"mps"`` or ``"auto"``. Default:
        ``conf.device``.

    Notes
    -----
    Every observation has its place in a ranking, so that a result of ``limit`` rows is the rule
    and no warning is issued. With ``score_threshold``, and where nothing is ranked, a set of
    matches is asked for, and `~astroquery.exceptions.MaxResultsWarning` says when ``limit`` cuts
    that set short.

    Examples
    --------
    >>> from astro_paperclip import PaperclipMast
    >>> with PaperclipMast(collection="hubble") as paperclip:
    ...     result = paperclip.query_text("an edge-on galaxy with a dust lane", limit=5)
    >>> len(result)
    5
    """

    get_product_list = staticmethod(archive.get_product_list)
    filter_products = staticmethod(archive.filter_products)
    download_products = staticmethod(archive.download_products)
    get_urls = staticmethod(archive.get_urls)
    get_previews = staticmethod(archive.get_previews)


PaperclipMast = PaperclipMastClass()
