"""MAST's portal: requests of services in JSON, answered page by page."""

import json
from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np

from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.simulation.server.fields import OBSERVATION_TYPES, declare
from astro_paperclip.simulation.server.holdings import CAOM_COLUMNS, Holdings
from astro_paperclip.simulation.server.products import PRODUCT_TYPES, Products
from astro_paperclip.simulation.server.reply import Reply
from astro_paperclip.simulation.server.selection import distances, select

__all__ = ["Portal"]

PAGE_SIZE = 50_000

# Rows that are held as Python objects at once, while a page becomes JSON.
_BATCH = 2_000

_SELECTED = {"_selected_": "boolean"}


class Portal:
    """
    The services of MAST's portal that astroquery asks for observations and products.

    Parameters
    ----------
    holdings : `Holdings`
        The archive.
    products : `Products`
        Its files.
    """

    def __init__(self, holdings: Holdings, products: Products):
        self._holdings = holdings
        self._products = products
        self._services: dict[str, Callable[[dict, dict], Reply]] = {
            "Mast.Caom.Cone": self._cone,
            "Mast.Caom.Filtered": self._filtered,
            "Mast.Caom.Filtered.Position": self._filtered_position,
            "Mast.Caom.Products": self._list_products,
            "Mast.Caom.All": self._summarize,
            "Mast.Name.Lookup": self._look_up,
        }

    def invoke(self, text: str) -> Reply:
        """
        Answer a request.

        Parameters
        ----------
        text : str
            JSON with ``service``, ``params`` and, optionally, ``page`` and ``pagesize``.

        Returns
        -------
        `Reply`
            Also errors have status 200, as MAST's have; the reply says ``"status": "ERROR"``.
        """
        try:
            request = json.loads(text)
            service = self._services.get(request.get("service"))
            if service is None:
                return _error(f"Service {request.get('service')!r} is not simulated.")
            return service(request.get("params") or {}, request)
        except InvalidQueryError as error:
            return _error(str(error))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            # Whatever does not have the form of a request.
            return _error(f"{type(error).__name__}: {error}")

    def _cone(self, params, request):
        ra, dec, radius = (float(params[name]) for name in ("ra", "dec", "radius"))
        away = distances(self._holdings.observations, ra, dec)
        rows = np.flatnonzero(away <= radius)
        types = OBSERVATION_TYPES | _SELECTED
        return self._observations(rows, request, types, away)

    def _filtered(self, params, request):
        rows = np.flatnonzero(select(self._holdings.observations, params["filters"]))
        return self._columns(rows, params, request)

    def _filtered_position(self, params, request):
        ra, dec, radius = (float(word) for word in str(params["position"]).split(","))
        away = distances(self._holdings.observations, ra, dec)
        fits = select(self._holdings.observations, params["filters"]) & (away <= radius)
        return self._columns(np.flatnonzero(fits), params, request, away)

    def _columns(self, rows, params, request, away=None):
        """Answer with the columns that a filtered service was asked for."""
        columns = str(params.get("columns", "*")).strip()
        if columns.upper() == "COUNT_BIG(*)":
            return _table({"Column1": "string"}, [{"Column1": len(rows)}], request)
        types = {name: OBSERVATION_TYPES[name] for name in CAOM_COLUMNS}
        if away is not None:
            types["distance"] = OBSERVATION_TYPES["distance"]
        if columns != "*":
            names = [name.strip() for name in columns.split(",")]
            if unknown := [name for name in names if name not in types]:
                raise InvalidQueryError(f"Invalid column name '{unknown[0]}'.")
            types = {name: types[name] for name in names}
        return self._observations(rows, request, types, away)

    def _observations(self, rows, request, types, away=None):
        page, size = _paging(request)
        on_page = rows[(page - 1) * size : page * size]
        stored = [name for name in types if name in CAOM_COLUMNS]

        def batches():
            for start in range(0, len(on_page), _BATCH):
                batch = on_page[start : start + _BATCH]
                for row, values in zip(batch, self._holdings.rows(batch, stored), strict=True):
                    yield _portal_row(values, types, None if away is None else away[row])

        return _envelope(types, batches(), page, size, len(rows), len(on_page))

    def _list_products(self, params, request):
        obsids = [word.strip() for word in str(params["obsid"]).split(",")]
        for obsid in obsids:
            if not obsid.isdecimal():
                raise InvalidQueryError(f"Error converting data type varchar to bigint: {obsid!r}")
        types = PRODUCT_TYPES | _SELECTED
        rows = ({**row, "_selected_": None} for row in self._products.rows(dict.fromkeys(obsids)))
        return _table(types, list(rows), request)

    def _summarize(self, params, request):  # noqa: ARG002
        """Count the observations of each mission, in the form that lists of missions come in."""
        missions = Counter(self._holdings.observations["obs_collection"].to_pylist())
        counts = {name: {"count": number, "key": name} for name, number in missions.items()}
        column = {
            "text": "obs_collection",
            "dataIndex": "obs_collection",
            "ExtendedProperties": {"histObj": {"hist": list(counts.values()), **counts}},
        }
        data = {"name": "NewDataSet", "Tables": [{"name": "Table", "Columns": [column]}]}
        return Reply.json({"status": "COMPLETE", "msg": "", "data": data})

    def _look_up(self, params, request):  # noqa: ARG002
        """Find the position of a target by its name."""
        name = str(params["input"]).strip()
        entry = {"paramName": "target_name", "values": [name]}
        rows = np.flatnonzero(select(self._holdings.observations, [entry]))
        targets = self._holdings.rows(rows[:1], ["target_name", "s_ra", "s_dec"])
        found = [
            {
                "searchString": name.lower(),
                "resolver": "SIMULATED",
                "cached": False,
                "resolverTime": 0,
                "searchRadius": -1.0,
                "canonicalName": target["target_name"],
                "ra": target["s_ra"],
                "decl": target["s_dec"],
            }
            for target in targets
        ]
        return Reply.json({"resolvedCoordinate": found, "status": ""})


def _portal_row(values, types, away):
    """Put a row into the portal's form: obsids are numbers, distances in arcsec."""
    for name in ("obsid", "objID"):
        if values.get(name):
            values[name] = int(values[name])
    row = {name: values.get(name) for name in types}
    if "distance" in types:
        row["distance"] = float(away * 3600)
    return row


def _paging(request):
    page, size = int(request.get("page") or 1), int(request.get("pagesize") or PAGE_SIZE)
    if page < 1 or size < 1:
        raise InvalidQueryError(f"page {page} of {size} rows does not exist")
    return page, size


def _table(types, rows, request):
    """Answer with one page of rows."""
    page, size = _paging(request)
    on_page = rows[(page - 1) * size : page * size]
    return _envelope(types, on_page, page, size, len(rows), len(on_page))


def _envelope(types, rows: Iterable[dict], page, size, n_found, n_on_page):
    """Wrap rows as MAST does; they are turned into JSON one by one, to hold few at a time."""
    head = {"status": "COMPLETE", "msg": "", "fields": declare(types)}
    head["paging"] = {
        "page": page,
        "pageSize": size,
        "pagesFiltered": max(1, -(-n_found // size)),
        "rows": n_on_page,
        "rowsFiltered": n_found,
        "rowsTotal": n_found,
    }
    encode = json.JSONEncoder(allow_nan=False).encode
    data = b",\n".join(encode(row).encode() for row in rows)
    body = encode(head).encode()[:-1] + b', "data": [' + data + b"]}"
    return Reply(200, body, "application/json;charset=utf-8")


def _error(message):
    return Reply.json({"status": "ERROR", "msg": message})
