"""Queries by place, by criteria and by other observations, of a small collection on disk."""

import json
import socket
import warnings

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import Angle, SkyCoord
from astropy.coordinates.name_resolve import NameResolveError
from astroquery.exceptions import InputWarning, ResolverError
from PIL import Image
from regions import CircleSkyRegion

from astro_paperclip import PaperclipMast, PaperclipResult
from astro_paperclip.columns import CONTRACT_COLUMNS
from astro_paperclip.core import places
from astro_paperclip.exceptions import InvalidQueryError, MaxResultsWarning, NoResultsWarning

pytest.importorskip("qdrant_edge")

from .stand_ins import Encoder, direction, make_collection

N_POINTS = 40


@pytest.fixture(scope="module")
def vectors():
    return np.stack([direction(f"{row}.jpg") for row in range(N_POINTS)])


@pytest.fixture(scope="module")
def rows():
    """Observations on a line of right ascension, half of them with footprints of 6 arcmin."""
    made = []
    for row in range(N_POINTS):
        ra, dec = 359.5 + row * 0.05, 41.0
        made.append(
            {
                "image": f"{row}.jpg",
                "obsid": str(24_000_000 + row),
                "obs_id": f"J8{row:04d}",
                "instrument_name": ["ACS/WFC", "WFC3/IR", "WFPC2"][row % 3],
                "proposal_id": str(10_000 + row // 8),
                "t_exptime": 100.0 * row,
                "s_ra": ra % 360,
                "s_dec": dec,
                "our_number": row,
            }
        )
        if row % 2:
            made[-1]["s_region"] = f"CIRCLE ICRS {ra % 360} {dec} 0.05"
    del made[7]["s_ra"], made[7]["s_dec"], made[7]["s_region"]
    return made


@pytest.fixture(scope="module")
def collection(tmp_path_factory, rows, vectors):
    path = tmp_path_factory.mktemp("selection") / "collection"
    return make_collection(path, Encoder(), vectors, rows)


@pytest.fixture
def paperclip(collection):
    with PaperclipMast(collection=collection, encoder=Encoder()) as made:
        yield made


@pytest.fixture
def without_encoder(collection, monkeypatch):
    """A query class whose encoder must not be asked for."""
    with PaperclipMast(collection=collection) as made:
        monkeypatch.setattr(made, "_load_encoder", lambda record: pytest.fail("loads an encoder"))
        yield made


def numbers(result):
    return result["our_number"].tolist()


def overlapping(rows, centre, radius):
    """Return which rows overlap a circle, by astropy's separations."""
    found = {}
    for row in rows:
        if "s_ra" in row:
            distance = SkyCoord(row["s_ra"], row["s_dec"], unit="deg").separation(centre)
            if distance <= radius + (0.05 * u.deg if "s_region" in row else 0 * u.deg):
                found[row["our_number"]] = distance.arcsec
    return found


class TestRegion:
    @pytest.mark.parametrize(
        "radius", [0.3 * u.deg, "18 arcmin", 0.3, Angle(0.3, "deg"), 1080 * u.arcsec]
    )
    def test_circle_across_right_ascension_zero(self, without_encoder, rows, radius):
        centre = SkyCoord(0.02, 41.01, unit="deg")
        result = without_encoder.query_region(centre, radius=radius)
        truth = overlapping(rows, centre, 0.3 * u.deg)
        assert numbers(result) == sorted(truth, key=truth.get)
        np.testing.assert_allclose(
            result["distance"], [truth[number] for number in numbers(result)], rtol=1e-9
        )
        assert result["distance"].unit == u.arcsec
        assert result["score"].mask.all()
        assert result["rank"].tolist() == list(range(1, len(result) + 1))

    def test_default_radius_is_that_of_astroquery(self, without_encoder, rows):
        centre = SkyCoord(0.5, 41, unit="deg")
        with pytest.warns(InputWarning, match="interpreted as an ICRS"):
            result = without_encoder.query_region("0.5 41")
        assert set(numbers(result)) == set(overlapping(rows, centre, 0.2 * u.deg))

    def test_other_frames(self, without_encoder):
        centre = SkyCoord(0.5, 41, unit="deg")
        by_galactic = without_encoder.query_region(centre.galactic)
        assert set(numbers(by_galactic)) == set(numbers(without_encoder.query_region(centre)))

    def test_regions(self, without_encoder, rows):
        centre = SkyCoord(0.5, 41, unit="deg")
        for region in (CircleSkyRegion(centre, 0.2 * u.deg), "CIRCLE ICRS 0.5 41 0.2"):
            result = without_encoder.query_region(region=region)
            assert set(numbers(result)) == set(overlapping(rows, centre, 0.2 * u.deg))
            assert "distance" not in result.colnames

    def test_ranked_within(self, paperclip, rows, vectors):
        centre = SkyCoord(0.5, 41, unit="deg")
        result = paperclip.query_region(centre, radius=0.4, text="a galaxy", limit=5)
        inside = list(overlapping(rows, centre, 0.4 * u.deg))
        scores = vectors[inside] @ direction("a galaxy")
        order = np.argsort(-scores)[:5]
        assert numbers(result) == [inside[place] for place in order]
        np.testing.assert_allclose(result["score"], scores[order], atol=1e-5)

    def test_object(self, without_encoder, rows, monkeypatch):
        centre = SkyCoord(0.5, 41, unit="deg")
        monkeypatch.setattr(places.SkyCoord, "from_name", lambda name: centre)
        result = without_encoder.query_object("M 99", radius="0.2 deg")
        assert set(numbers(result)) == set(overlapping(rows, centre, 0.2 * u.deg))
        assert result.query["region"].startswith("Circle(")

    def test_unknown_object(self, refusing, monkeypatch):
        def fail(name):
            raise NameResolveError("nobody knows it.")

        monkeypatch.setattr(places.SkyCoord, "from_name", fail)
        with pytest.raises(ResolverError, match="'M 999' was not found: nobody knows it"):
            refusing.query_object("M 999")

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({}, "either coordinates or a region"),
            ({"coordinates": "0 0", "region": "CIRCLE 0 0 1"}, "either coordinates or a region"),
            ({"region": "CIRCLE 0 0 1", "radius": 1}, "has no centre"),
            ({"coordinates": SkyCoord([1, 2], [1, 2], unit="deg")}, "2 positions were given"),
            ({"coordinates": SkyCoord(np.nan, 1, unit="deg")}, "not finite"),
            ({"coordinates": 5}, "5 are no coordinates"),
            ({"coordinates": SkyCoord(1, 2, unit="deg"), "radius": 0}, "above 0"),
            ({"coordinates": SkyCoord(1, 2, unit="deg"), "radius": np.nan}, "above 0"),
            ({"coordinates": SkyCoord(1, 2, unit="deg"), "radius": 3 * u.m}, "is no radius"),
            ({"coordinates": SkyCoord(1, 2, unit="deg"), "radius": "wide"}, "is no radius"),
            ({"coordinates": SkyCoord(1, 2, unit="deg"), "radius": [1, 2]}, "radius"),
            ({"region": "SQUARE 1 2"}, "SQUARE"),
        ],
    )
    def test_wrong_places(self, refusing, wrong, message):
        with pytest.raises(InvalidQueryError, match=message):
            refusing.query_region(**wrong)

    def test_places_exclude_each_other(self, refusing):
        with pytest.raises(InvalidQueryError, match="not coordinates and object_name"):
            refusing.query_criteria(coordinates="1 2", object_name="M 1")
        with pytest.raises(InvalidQueryError, match="must be a name"):
            refusing.query_object("")


class TestCriteria:
    def test_listing_is_all_that_fit(self, without_encoder, rows):
        result = without_encoder.query_criteria(
            instrument_name="WFC3*", t_exptime=[500, None], our_number="!19"
        )
        assert sorted(numbers(result)) == [
            row["our_number"]
            for row in rows
            if row["instrument_name"] == "WFC3/IR"
            and row["t_exptime"] >= 500
            and row["our_number"] != 19
        ]
        assert result.colnames[: len(CONTRACT_COLUMNS)] == list(CONTRACT_COLUMNS)

    def test_pages_are_parts_of_one_list(self, without_encoder):
        whole = without_encoder.query_criteria(limit=N_POINTS)
        assert sorted(numbers(whole)) == list(range(N_POINTS))
        pages = []
        for offset in range(0, N_POINTS, 15):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", MaxResultsWarning)
                pages += numbers(without_encoder.query_criteria(limit=15, offset=offset))
        assert pages == numbers(whole)

    def test_a_list_that_is_cut_short_is_said_to_be(self, without_encoder):
        with pytest.warns(MaxResultsWarning, match="More than 3 observations meet the criteria"):
            assert len(without_encoder.query_criteria(limit=3)) == 3

    def test_nothing_found(self, without_encoder):
        with pytest.warns(NoResultsWarning):
            result = without_encoder.query_criteria(instrument_name="STIS")
        assert isinstance(result, PaperclipResult)
        assert result.colnames == list(CONTRACT_COLUMNS)

    def test_most_of_a_proposal(self, without_encoder, paperclip):
        for result in (
            without_encoder.query_criteria(max_per_proposal=2),
            paperclip.query_criteria(text="a galaxy", max_per_proposal=2),
        ):
            _, counts = np.unique(result["proposal_id"], return_counts=True)
            assert counts.tolist() == [2] * 5

    def test_several_contents_count_the_same(self, paperclip, vectors, picture):
        result = paperclip.query_criteria(
            text="a galaxy", image=picture, similar_to=24_000_003, limit=N_POINTS
        )
        pixels = np.asarray(Image.open(picture))
        parts = direction("a galaxy") + direction(pixels.tobytes()) + vectors[3]
        scores = vectors @ parts / np.linalg.norm(parts)
        order = [row for row in np.argsort(-scores) if row != 3]
        assert numbers(result) == order
        np.testing.assert_allclose(result["score"], scores[order], atol=1e-5)

    def test_count(self, without_encoder, rows):
        centre = SkyCoord(0.5, 41, unit="deg")
        inside = overlapping(rows, centre, 0.3 * u.deg)
        assert without_encoder.query_criteria_count() == N_POINTS
        count = without_encoder.query_criteria_count(
            coordinates=centre, radius=0.3, instrument_name="ACS*"
        )
        assert count == sum(rows[n]["instrument_name"] == "ACS/WFC" for n in inside)

    def test_what_is_asked_can_be_seen_and_is_plain(self, refusing):
        payload = refusing.query_criteria(
            text="dust",
            similar_to=["24000001", 24_000_002],
            region="CIRCLE 10 20 0.5",
            t_exptime=[100 * u.s, np.float64(300)],
            filters=("F814W", "!F606W"),
            target_name=None,
            limit=3,
            get_query_payload=True,
        )
        assert json.loads(json.dumps(payload)) == payload
        assert payload["terms"][1]["similar_to"] == ["24000001", "24000002"]
        assert payload["criteria"]["filters"] == ["F814W", "!F606W"]
        assert "target_name" not in payload["criteria"]
        assert "10.0" in payload["region"]

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            ({"instrument": "ACS", "text": " "}, "text must say"),
            ({"instrument_nam": "ACS"}, "instrument_name"),
            ({"t_exptime": "long"}, "'long' is no value for t_exptime"),
            ({"t_exptime": 3 * u.m}, "cannot be converted"),
            ({"score_threshold": 0.2}, "needs something to compare with"),
            ({"limit": 0}, "limit must be"),
            ({"select_cols": []}, "select_cols must be names"),
            ({"select_cols": 5}, "select_cols must be names"),
            ({"similar_to": "J8BA0101"}, "looks like an obs_id"),
        ],
    )
    def test_wrong_arguments_are_refused_before_any_work(self, refusing, wrong, message):
        with pytest.raises(InvalidQueryError, match=message):
            refusing.query_criteria(**wrong)

    def test_a_column_that_no_row_has(self, without_encoder):
        with pytest.raises(InvalidQueryError, match=r"no column 'our_numbr' .* 'our_number'"):
            without_encoder.query_criteria(our_numbr=3)
        with pytest.raises(InvalidQueryError, match="no column 'colour_of_cover'"):
            without_encoder.query_criteria_count(colour_of_cover="red")

    def test_selected_columns(self, without_encoder, paperclip):
        for result in (
            without_encoder.query_criteria(select_cols=["t_exptime", "our_number", "em_min"]),
            paperclip.query_text("a galaxy", select_cols=["t_exptime", "our_number", "em_min"]),
        ):
            assert result.colnames == [*CONTRACT_COLUMNS, "t_exptime", "our_number", "em_min"]
            # No row has it.
            assert result["em_min"].mask.all()
            assert (result["em_min"].unit, result["em_min"].dtype) == (u.nm, np.float64)
        assert paperclip.query_text("dust", select_cols="s_ra").colnames[-1] == "s_ra"
        with pytest.raises(InvalidQueryError, match=r"'t_exptim' to select.* 't_exptime'"):
            paperclip.query_text("dust", select_cols="t_exptim")

    def test_no_network(self, without_encoder, monkeypatch):
        monkeypatch.setattr(socket.socket, "connect", lambda *args: pytest.fail("connects"))
        assert without_encoder.query_criteria_count(coordinates=SkyCoord(0, 41, unit="deg")) > 0


class TestSimilar:
    def test_mean_direction_without_the_observations_themselves(self, without_encoder, vectors):
        result = without_encoder.query_similar([24_000_005, "24000011"], limit=N_POINTS)
        mean = vectors[5] + vectors[11]
        scores = vectors @ mean / np.linalg.norm(mean)
        order = [row for row in np.argsort(-scores) if row not in (5, 11)]
        assert numbers(result) == order
        np.testing.assert_allclose(result["score"], scores[order], atol=1e-5)
        assert result.query["terms"] == [{"weight": 1, "similar_to": ["24000005", "24000011"]}]

    def test_rows_of_a_result(self, without_encoder):
        listed = without_encoder.query_criteria(our_number=[4, 9])
        by_table = without_encoder.query_similar(listed[:1])
        by_row = without_encoder.query_similar(listed[0])
        assert numbers(by_table) == numbers(by_row)
        assert listed["our_number"][0] not in numbers(by_row)

    def test_what_is_not_in_the_collection(self, without_encoder):
        with pytest.warns(InputWarning, match=r"1 of 2 observations are not in .* such as 99"):
            assert len(without_encoder.query_similar(["24000005", "99"], limit=3)) == 3
        with pytest.raises(InvalidQueryError, match=r"observation 99 is not in .*query_image"):
            without_encoder.query_similar(99)
        with pytest.raises(InvalidQueryError, match="None of the 2 observations"):
            without_encoder.query_similar([98, 99])

    @pytest.mark.parametrize("nothing", [[], "", [None]])
    def test_no_observation(self, refusing, nothing):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InputWarning)
            with pytest.raises(InvalidQueryError, match="No observation was given"):
                refusing.query_similar(nothing)

    def test_an_obs_id_is_pointed_out(self, refusing):
        with pytest.raises(InvalidQueryError, match=r"'J8BA0101' is no obsid.* obs_id"):
            refusing.query_similar("J8BA0101")
