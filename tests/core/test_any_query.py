"""Whatever is asked: an answer, or one of astroquery's exceptions, and nothing else.

``ASTRO_PAPERCLIP_QUERIES=10000`` asks more, and other things each time.
"""

import datetime
import os
import warnings

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.time import Time
from astroquery import exceptions as of_astroquery
from astroquery.exceptions import InputWarning, MaxResultsWarning, NoResultsWarning
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as some
from regions import CirclePixelRegion, CircleSkyRegion, PixCoord, PolygonSkyRegion

from astro_paperclip import PaperclipMast, PaperclipResult
from astro_paperclip.columns import COLUMNS, CONTRACT_COLUMNS
from astro_paperclip.sky import Box, Circle

pytest.importorskip("qdrant_edge")

from .stand_ins import Encoder, direction, make_collection

N_QUERIES = int(os.environ.get("ASTRO_PAPERCLIP_QUERIES", 0))
asked = settings(
    max_examples=N_QUERIES or 300,
    derandomize=not N_QUERIES,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)

ALLOWED = tuple(
    kind
    for kind in vars(of_astroquery).values()
    if isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, Warning)
)
N_POINTS = 60


@pytest.fixture(scope="module")
def paperclip(tmp_path_factory):
    path = tmp_path_factory.mktemp("any") / "collection"
    rng = np.random.default_rng(0)
    rows = []
    for row in range(N_POINTS):
        ra, dec = rng.uniform(0, 360), rng.uniform(-90, 90)
        rows.append(
            {
                "image": f"{row}.jpg",
                "obsid": str(24_000_000 + row),
                "target_name": ["M51", "NGC-3132", "ANY*", 'say "hi"'][row % 4],
                "instrument_name": ["ACS/WFC", "WFC3/IR", "WFPC2"][row % 3],
                "proposal_id": str(10_000 + row // 8),
                "t_exptime": 100.0 * row,
                "t_min": 50_000.0 + row,
                "mtFlag": row % 2 == 0,
                "our_number": row,
                "s_ra": ra,
                "s_dec": dec,
                "s_region": f"CIRCLE ICRS {ra} {dec} 0.5",
            }
        )
    vectors = np.stack([direction(row["image"]) for row in rows])
    make_collection(path, Encoder(), vectors, rows)
    with PaperclipMast(collection=path, encoder=Encoder()) as made:
        yield made


numbers = some.one_of(
    some.integers(-5, 70_000),
    some.integers(),
    some.floats(),
    some.integers(0, 9).map(np.int16),
    some.floats(width=32).map(np.float32),
)
words = some.one_of(
    some.sampled_from(
        ["M51", "ACS/WFC", "WFC3*", "%", "*", "!WFPC2", "10001", "24000003", "", " "]
    ),
    some.text(max_size=12),
)
grammar = some.lists(
    some.sampled_from(
        ["!", "*", "..", ">=", "<", "5", "-3.5", "1e400", " ", "2021-02-30", "2020-01-01", "nan"]
    ),
    max_size=5,
).map("".join)
quantities = some.builds(
    lambda value, unit: value * unit,
    some.floats(-1e6, 1e6),
    some.sampled_from([u.s, u.min, u.m, u.nm, u.deg, u.percent, u.one]),
)
times = some.one_of(
    some.dates(), some.datetimes(), some.just(Time("2010-01-01")), some.just(datetime.time())
)
atoms = some.one_of(
    some.none(),
    some.booleans(),
    numbers,
    words,
    grammar,
    quantities,
    times,
    some.binary(max_size=4),
)
values = some.one_of(
    atoms,
    some.lists(atoms, max_size=3),
    some.tuples(numbers, some.none() | numbers),
    some.lists(numbers, max_size=3).map(np.array),
    some.sets(words, max_size=2),
    some.dictionaries(words, numbers, max_size=1),
    some.lists(some.lists(numbers, max_size=2), max_size=2),
    some.just(np.ma.masked),
    some.builds(object),
)
names = some.one_of(
    some.sampled_from(
        [*COLUMNS, "our_number", "instrument", "t_exptim", "_flags", "_cells", "loc"]
    ),
    some.text(max_size=8),
)
criteria = some.dictionaries(names, values, max_size=3)

degrees = some.one_of(some.floats(-400, 400), some.floats(), some.integers(-90, 360))
places = some.tuples(some.floats(0, 360), some.floats(-90, 90))
sky_coordinates = places.map(lambda place: SkyCoord(*place, unit="deg"))
stcs = some.lists(
    some.one_of(
        some.sampled_from(
            [
                "CIRCLE",
                "POLYGON",
                "BOX",
                "ICRS",
                "J2000",
                "GSC1",
                "UNION",
                "(",
                ")",
                "NaN",
                "5/12-14",
            ]
        ),
        degrees.map(str),
    ),
    max_size=9,
).map(" ".join)
regions = some.one_of(
    stcs,
    words,
    some.lists(degrees, max_size=8),
    some.lists(places, min_size=1, max_size=5).map(lambda corners: sum(corners, ())),
    some.builds(Circle, some.floats(0, 360), some.floats(-90, 90), some.floats(0.001, 180)),
    some.just(Box(350, 10, -5, 5)),
    some.lists(some.floats(-90, 90), min_size=3, max_size=4).map(lambda values: values * u.deg),
    sky_coordinates.map(lambda centre: CircleSkyRegion(centre, 3 * u.deg)),
    some.lists(places, min_size=3, max_size=6).map(
        lambda corners: PolygonSkyRegion(SkyCoord(corners, unit="deg"))
    ),
    some.just(CirclePixelRegion(PixCoord(1, 2), 3)),
    some.lists(stcs, max_size=2),
    atoms,
)
coordinates = some.one_of(
    sky_coordinates,
    places.map(lambda place: f"{place[0]} {place[1]}"),
    some.sampled_from(
        ["12h30m +10d", "400 95", "nan nan", "", SkyCoord([1, 2], [3, 4], unit="deg")]
    ),
    atoms,
)
radii = some.one_of(
    some.floats(1e-3, 180),
    quantities,
    some.sampled_from(["3 arcmin", "0d5m", "wide", "-1 deg", [1, 2] * u.deg]),
    atoms,
)
options = some.fixed_dictionaries(
    {},
    optional={
        "limit": some.integers(1, 100) | some.integers(1) | atoms,
        "offset": some.integers(0, 100) | some.integers(0) | atoms,
        "select_cols": some.lists(names, max_size=3) | atoms,
        "score_threshold": some.floats(-1, 1) | atoms,
        "max_per_proposal": some.integers(1, 5) | atoms,
        "get_query_payload": some.booleans(),
        "collection": some.none() | some.sampled_from(["absent", 5, ""]),
    },
)
content = some.fixed_dictionaries(
    {},
    optional={
        "text": some.sampled_from(["a spiral", '"a" - 0.5 "b"']) | values,
        "similar_to": some.sampled_from(["24000003", ["24000004", "5"]]) | values,
        "image": some.sampled_from(["absent.jpg", np.ones((9, 9))]) | values,
    },
)


def answer(ask, **question):
    """Return what is answered, or `None` where the question is refused as astroquery does it."""
    with warnings.catch_warnings():
        for kind in (InputWarning, MaxResultsWarning, NoResultsWarning):
            warnings.simplefilter("ignore", kind)
        try:
            return ask(**question)
        except ALLOWED as error:
            event(f"refused: {type(error).__name__}")
            return None


def check(found, question):
    if found is None:
        return
    event("answered")
    if isinstance(found, list):
        for one in found:
            check(one, question)
        return
    if question.get("get_query_payload"):
        assert isinstance(found, dict)
        return
    assert isinstance(found, PaperclipResult)
    assert found.colnames[:2] == ["rank", "score"]
    assert set(CONTRACT_COLUMNS) <= set(found.colnames)
    assert len(found) <= (question.get("limit") or 50)


@asked
@given(question=criteria)
def test_criteria(paperclip, question):
    question = {name: value for name, value in question.items() if name not in RESERVED}
    found = answer(paperclip.query_criteria, limit=N_POINTS, **question)
    check(found, {"limit": N_POINTS})
    count = answer(paperclip.query_criteria_count, **question)
    assert (found is None) == (count is None)
    assert found is None or len(found) == count


RESERVED = {"coordinates", "radius", "region", "text", "image", "limit", "offset", "collection"}


@asked
@given(question=some.fixed_dictionaries({"region": regions}))
def test_regions(paperclip, question):
    found = answer(paperclip.query_region, limit=N_POINTS, **question)
    check(found, {"limit": N_POINTS})
    if found is not None:
        assert len(found) == paperclip.query_criteria_count(**question)


@asked
@given(coordinates=coordinates, radius=some.none() | radii)
def test_circles(paperclip, coordinates, radius):
    found = answer(paperclip.query_region, coordinates=coordinates, radius=radius)
    check(found, {})


@asked
@given(what=content, where=criteria, how=options)
def test_everything_together(paperclip, what, where, how):
    question = where | what | how
    check(answer(paperclip.query_criteria, **question), question)


@asked
@given(what=values, how=options)
def test_texts(paperclip, what, how):
    check(answer(paperclip.query_text, text=what, **how), how)


@asked
@given(what=values, how=options)
def test_similar_observations(paperclip, what, how):
    check(answer(paperclip.query_similar, observations=what, **how), how)
