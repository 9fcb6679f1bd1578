"""Lists of products: which files MAST has for observations."""

import difflib
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import requests
from astropy.table import Column, Row, Table, vstack
from astroquery.exceptions import RemoteServiceError, TimeoutError  # noqa: A004
from tqdm.auto import tqdm

from astro_paperclip.archive.mast import Mast
from astro_paperclip.archive.obsids import as_table, read_obsids
from astro_paperclip.archive.products.columns import (
    PRODUCT_COLUMNS,
    RANKING_COLUMNS,
    conformed,
    described,
)
from astro_paperclip.archive.traffic import TransientError
from astro_paperclip.columns import COLUMNS
from astro_paperclip.exceptions import (
    ArchiveError,
    InvalidQueryError,
    MaxResultsWarning,
    NoResultsWarning,
)

if TYPE_CHECKING:
    from astroquery.mast import ObservationsClass

__all__ = ["filter_products", "find_products", "get_product_list", "products_of"]

# They need an archive: docs/test_docstrings.py has one, ``server``, and runs them.
__doctest_skip__ = ["get_product_list"]

_BATCH_SIZE = 500
"""Observations in one request, as in astroquery 0.4.12."""

_NEEDED = ("dataURI", "productFilename", "obs_collection", "obs_id")
_RECOMMENDED = "Minimum Recommended Products"


def get_product_list(
    observations: Any,
    *,
    mast: Mast | None = None,
    batch_size: int = _BATCH_SIZE,
    progress: bool = True,
    **filters: Any,
) -> Table:
    """List the files that MAST has for observations.

    Parameters
    ----------
    observations : PaperclipResult, `~astropy.table.Table`, `~astropy.table.Row`, iterable or str
        Observations with a column ``obsid``, some of their rows, or obsids. Those without an
        obsid are left out, with a warning.
    mast : Mast, optional
        Which MAST is asked, and how patiently.
    batch_size : int
        Observations in one request. Give less if MAST takes too long to answer.
    progress : bool
        Whether to show a progress bar where there are several batches.
    **filters
        As `filter_products` takes them. Each batch is filtered when it arrives, so that a few
        products of many observations take little memory.

    Returns
    -------
    products : `~astropy.table.Table`
        One row a file (``dataURI``), with the columns of MAST, and ``rank`` and ``score`` of the
        best observation that has it where the observations have them, in this order.
        ``parent_obsid`` is the observation's ``obsid``. It is empty, with a
        `~astroquery.exceptions.NoResultsWarning`, if there is nothing.

    Raises
    ------
    InvalidQueryError
        If something is no obsid, or a filter makes no sense; nothing was asked then.
    ArchiveError
        If MAST failed for good.

    Examples
    --------
    >>> from astro_paperclip import PaperclipMast
    >>> result = PaperclipMast.query_text("a comet", collection="hubble", limit=3)
    >>> from astro_paperclip.archive import Mast  # ``server`` is a simulated archive
    >>> mast = Mast(server)
    >>> products = PaperclipMast.get_product_list(result, mast=mast, extension="fits")
    >>> set(products["parent_obsid"]) == set(result["obsid"])
    True
    >>> set(products["rank"].tolist())
    {1, 2, 3}
    """
    if not isinstance(batch_size, int | np.integer) or batch_size < 1:
        raise InvalidQueryError(f"batch_size must be a positive whole number, not {batch_size!r}.")
    wanted = read_obsids(observations)
    nothing = _joined(conformed(Table()), wanted)
    batches = [filter_products(nothing, **filters)]
    if not len(wanted):
        return _warned(nothing, "There are no observations to list products of.")

    mast = Mast() if mast is None else mast
    n_listed, without = 0, []
    starts = range(0, len(wanted), batch_size)
    for start in tqdm(
        starts, "Listing products", unit="batch", disable=not progress or len(starts) == 1
    ):
        batch = wanted[start : start + batch_size]
        asked = batch["obsid"].tolist()
        products = _joined(_listed_whole(mast, asked), batch)
        n_listed += len(products)
        without += sorted(set(asked) - set(products["parent_obsid"]))
        batches.append(filter_products(products, **filters))
    if without:
        named = ", ".join(without[:5]) + (", ..." if len(without) > 5 else "")
        message = f"MAST lists no products of {len(without)} of {len(wanted)} observations: {named}"
        warnings.warn(message, NoResultsWarning, stacklevel=2)
    products = _unique(vstack(batches))
    if n_listed and not len(products):
        return _warned(products, f"None of {n_listed} products passes the filters {filters!r}.")
    return products


def filter_products(
    products: Table | Row,
    *,
    mrp_only: bool = False,
    extension: str | Iterable[str] | None = None,
    **filters: Any,
) -> Table:
    """Choose products by what they are, as astroquery's function of this name does.

    Parameters
    ----------
    products : `~astropy.table.Table` or `~astropy.table.Row`
        As `get_product_list` or astroquery gave them.
    mrp_only : bool
        Whether to take minimum recommended products only.
    extension : str or iterable of str, optional
        What the file name may end with, in upper or lower case.
    **filters
        A column's name, and one or more values that it may have, in upper or lower case; those
        with "!" before them it must not have. For numbers also ``"<1000"``, ``">=5"`` or
        ``"5..1000"``. All filters have to be passed.

    Returns
    -------
    products : `~astropy.table.Table`
        Those rows that pass, in their order.

    Raises
    ------
    InvalidQueryError
        If there is no such column, or a value cannot be compared with its own.

    Notes
    -----
    Releases of astroquery differ in whether case matters, and what a masked value or a tuple
    of values does. Here neither case nor the release matters, and what is unknown is equal to
    nothing.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astro_paperclip import PaperclipMast
    >>> products = Table(
    ...     {
    ...         "productFilename": ["a_drc.fits", "a_flt.fits", "a_drc.jpg"],
    ...         "productType": ["SCIENCE", "SCIENCE", "PREVIEW"],
    ...         "size": [5_000_000, 170_000_000, 40_000],
    ...     }
    ... )
    >>> chosen = PaperclipMast.filter_products(products, productType="science", size="<1e7")
    >>> chosen["productFilename"].tolist()
    ['a_drc.fits']
    >>> len(PaperclipMast.filter_products(products, extension="fits"))
    2
    """
    from astroquery.mast import ObservationsClass

    products = as_table(products)
    needed = [*filters, *(["productGroupDescription"] if mrp_only else [])]
    needed += ["productFilename"] if extension else []
    for name in needed:
        _check_column(name, products.colnames)
    plain = Table({name: _plain(products[name]) for name in needed})
    plain["row"] = np.arange(len(products))
    if mrp_only:
        plain = plain[plain["productGroupDescription"] == _RECOMMENDED.lower()]
    values = {name: _allowed(value, plain[name]) for name, value in filters.items()}
    if extension:
        extension = [ending.lower() for ending in _several(extension)]
    try:
        passed = ObservationsClass().filter_products(plain, extension=extension, **values)
    except (AttributeError, TypeError, ValueError) as error:
        raise InvalidQueryError(f"{filters!r} cannot filter products: {error}.") from error
    return products[passed["row"]]


def find_products(products: Any, *, mast: Mast, progress: bool = True, **filters: Any) -> Table:
    """Return the products that are given, or those of the observations that are given.

    Parameters
    ----------
    products : `~astropy.table.Table`, `~astropy.table.Row`, iterable or str
        Products or a manifest, as this package or astroquery gave them, or some of their rows;
        or observations as `get_product_list` takes them.
    mast : Mast
        Which MAST is asked.
    progress : bool
        Whether to show a progress bar.
    **filters
        As `filter_products` takes them.

    Returns
    -------
    products : `~astropy.table.Table`
        As of `get_product_list`.

    Raises
    ------
    InvalidQueryError
        If a table is neither.
    ArchiveError
        If MAST failed for good.
    """
    table = as_table(products)
    if "dataURI" not in table.colnames:
        return get_product_list(table, mast=mast, progress=progress, **filters)
    if missing := [name for name in _NEEDED if name not in table.colnames]:
        raise InvalidQueryError(
            f"The table of products has no column {' and no '.join(missing)}: give it as "
            "get_product_list returns it."
        )
    chosen = filter_products(table, **filters)
    found = conformed(chosen)
    ranking = [name for name in reversed(RANKING_COLUMNS) if name in chosen.colnames]
    for name in ranking:
        found.add_column(chosen[name], index=0)
    if not len(found):
        return _warned(found, "There are no products, or none that passes the filters.")
    return _unique(found)


def products_of(products: Table, observations: Any, **filters: Any) -> Table:
    """Choose the products of observations from a table that was kept.

    Parameters
    ----------
    products : `~astropy.table.Table`
        Products of any observations, which ``obsid`` names.
    observations : `~astropy.table.Table`, `~astropy.table.Row`, iterable or str
        As `get_product_list` takes them.
    **filters
        As `filter_products` takes them.

    Returns
    -------
    products : `~astropy.table.Table`
        As of `get_product_list`.
    """
    wanted = read_obsids(observations)
    ours = conformed(products[np.isin(products["obsid"], wanted["obsid"])])
    found = filter_products(_joined(ours, wanted), **filters)
    if not len(found):
        return _warned(found, "No products of these observations are known without MAST.")
    return _unique(found)


def _listed_whole(mast: Mast, obsids: list[str]) -> Table:
    """List the products of some observations; ask in parts if they fill a page of the portal.

    From 0.4.12 on, astroquery takes the first page of a reply for all of it.
    """
    products = mast.attempt(_listed, mast.observations, obsids)
    if not len(products):
        # Every observation has products: an empty list is not believed at once.
        mast.traffic.count(fault="empty")
        products = mast.attempt(_listed, mast.observations, obsids)
    if len(products) != mast.observations._portal_api_connection.PAGESIZE:
        return products
    half = len(obsids) // 2
    if half:
        return vstack([_listed_whole(mast, part) for part in (obsids[:half], obsids[half:])])
    warnings.warn(
        f"MAST lists {len(products)} products of observation {obsids[0]}, as many as fit into a "
        "reply: there may be more.",
        MaxResultsWarning,
        stacklevel=3,
    )
    return products


def _listed(client: "ObservationsClass", obsids: list[str]) -> Table:
    """Ask for the products of some observations, once."""
    try:
        with warnings.catch_warnings():
            # A batch without products is nothing to warn of before the last one was seen.
            warnings.simplefilter("ignore", NoResultsWarning)
            return conformed(client.get_product_list(obsids))
    except requests.RequestException:
        raise
    except TimeoutError as error:
        raise TransientError("too slow", str(error)) from error
    except ArchiveError:
        raise
    except RemoteServiceError as error:
        raise ArchiveError(
            f"MAST gave no products of {len(obsids)} observations, the first of which is "
            f"{obsids[0]}: {error}"
        ) from error
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise TransientError("unreadable", f"list of products: {error!r}") from error


def _joined(products: Table, wanted: Table) -> Table:
    """Say which observation each product was listed for, and give it its rank and score."""
    row_of = {obsid: row for row, obsid in enumerate(wanted["obsid"].tolist())}
    # MAST does not always say for which observation it listed a product, see astroquery #1797.
    parents = [
        own if own in row_of and parent not in row_of else parent or own
        for parent, own in zip(products["parent_obsid"], products["obsID"], strict=True)
    ]
    products["parent_obsid"] = described(parents, PRODUCT_COLUMNS["parent_obsid"])
    rows = np.array([row_of.get(parent, -1) for parent in parents], dtype=np.int64)
    ranking = [name for name in RANKING_COLUMNS if name in wanted.colnames]
    for place, name in enumerate(ranking):
        # Scores of a list without a ranking are masked.
        is_unknown = np.ma.getmaskarray(wanted[name])[rows] | (rows < 0)
        values = described(wanted[name][rows], COLUMNS[name], mask=is_unknown)
        products.add_column(values, index=place)
    return products


def _unique(products: Table) -> Table:
    """Keep each file once, where the best observation has it."""
    if "rank" in products.colnames:
        ranks = np.ma.filled(products["rank"], np.iinfo(np.int64).max)
        products = products[np.argsort(ranks, kind="stable")]
    _, first = np.unique(products["dataURI"], return_index=True)
    return products[np.sort(first)]


def _check_column(name: str, names: list[str]) -> None:
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        guess = f" Did you mean {close[0]!r}?" if close else ""
        raise InvalidQueryError(
            f"Products have no column {name!r} to filter by, only {', '.join(names)}.{guess}"
        )


def _plain(column: Column) -> np.ndarray:
    """Return the values of a column so that what is unknown is equal to nothing."""
    values = column.value
    if values.dtype.kind in "biuf":
        return np.ma.filled(np.ma.asarray(values, dtype=np.float64), np.nan)
    return np.char.lower(np.ma.filled(values, "").astype(str))


def _allowed(value: Any, column: np.ndarray) -> list:
    """Return the values of a filter as astroquery compares them with a column."""
    values = _several(value)
    if column.dtype.kind == "U":
        return [str(value).lower() for value in values]
    return [value.item() if isinstance(value, np.generic) else value for value in values]


def _several(value: Any) -> list:
    return [value] if isinstance(value, str) or np.ndim(value) == 0 else list(value)


def _warned(products: Table, message: str) -> Table:
    warnings.warn(message, NoResultsWarning, stacklevel=3)
    return products
