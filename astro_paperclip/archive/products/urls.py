"""Where the files of products can be had from."""

from typing import Any

import numpy as np
from astropy.table import Table

from astro_paperclip.archive.cloud import cloud_addresses
from astro_paperclip.archive.mast import Mast
from astro_paperclip.archive.products.columns import PRODUCT_COLUMNS, described
from astro_paperclip.archive.products.lists import find_products
from astro_paperclip.columns import ColumnInfo

__all__ = ["get_urls"]

# They need an archive: docs/test_docstrings.py has one, ``server``, and runs them.
__doctest_skip__ = ["get_urls"]

_BUCKETS = "https://s3.amazonaws.com/"
"""Web address below which each public bucket lies."""

_URL = ColumnInfo("url", "str", None, "meta.ref.url", None, "Address of the file at MAST")
_CLOUD_URI = ColumnInfo(
    "cloud_uri", "str", None, "meta.ref.uri", None, "Address of the file in the public cloud"
)


def get_urls(
    products: Any,
    *,
    cloud: bool = False,
    mast: Mast | None = None,
    progress: bool = True,
    **filters: Any,
) -> Table:
    """Say where the files of products can be had from, and fetch nothing.

    Parameters
    ----------
    products : PaperclipResult, `~astropy.table.Table`, `~astropy.table.Row`, iterable or str
        Products, observations, some of their rows, or obsids.
    cloud : bool
        Whether to look the files up in MAST's public cloud storage too. That needs boto3.
    mast : Mast, optional
        Which MAST is asked, and how patiently.
    progress : bool
        Whether to show a progress bar where products are listed in several batches.
    **filters
        As `filter_products` takes them.

    Returns
    -------
    urls : `~astropy.table.Table`
        One row a file: ``dataURI``; ``url``; with ``cloud`` also ``cloud_uri`` (``s3://...``),
        masked where the cloud has no such file.

    Raises
    ------
    InvalidQueryError
        If something is no obsid, or a filter makes no sense.
    ArchiveError
        If MAST failed for good, a product has no address, or boto3 is wanted and missing.

    Examples
    --------
    >>> from astro_paperclip import PaperclipMast
    >>> result = PaperclipMast.query_text("a comet", collection="hubble", limit=1)
    >>> from astro_paperclip.archive import Mast  # ``server`` is a simulated archive
    >>> mast = Mast(server)
    >>> urls = PaperclipMast.get_urls(result, mast=mast, productType="SCIENCE")
    >>> urls["dataURI"][0].startswith("mast:HST/product/"), urls["url"][0].startswith(server)
    (True, True)
    """
    mast = Mast() if mast is None else mast
    uris = find_products(products, mast=mast, progress=progress, **filters)["dataURI"].tolist()
    urls = Table([described(uris, PRODUCT_COLUMNS["dataURI"])])
    urls["url"] = described([mast.file_url(uri) for uri in uris], _URL)
    if cloud:
        found = cloud_addresses(uris, mast, progress=progress)
        in_cloud = [found.get(uri, "").replace(_BUCKETS, "s3://") for uri in uris]
        urls["cloud_uri"] = described(in_cloud, _CLOUD_URI, mask=np.array(in_cloud) == "")
    return urls
