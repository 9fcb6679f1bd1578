import datetime
import json
import uuid
from pathlib import Path

import numpy as np
import pytest

from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.index.schema import NAMESPACE, from_payload, point_id, position_of, to_payload


class TestPointId:
    def test_is_a_uuid5_that_never_changes(self):
        assert uuid.uuid5(uuid.NAMESPACE_URL, "urn:astro_paperclip:preview") == NAMESPACE
        assert point_id("mast:HST/product/j8cw51011_drc.jpg") == str(
            uuid.uuid5(NAMESPACE, "mast:HST/product/j8cw51011_drc.jpg")
        )

    def test_path_and_text_are_the_same(self):
        assert point_id(Path("previews/1.jpg")) == point_id("previews/1.jpg")
        assert point_id("previews/1.jpg") != point_id("previews/2.jpg")

    def test_empty(self):
        with pytest.raises(InvalidQueryError, match="URI or a path"):
            point_id("")


class TestToPayload:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (np.float32(0.5), 0.5),
            (np.int16(-3), -3),
            (np.uint64(2**63), str(2**63)),
            (np.bool_(True), True),
            (np.str_("α Cen"), "α Cen"),
            (b"raw", "raw"),
            (np.array([1.5, np.nan]), [1.5, None]),
            (np.array([[1, 2]]), [[1, 2]]),
            ({"a": np.int64(1), 2: (3,)}, {"a": 1, "2": [3]}),
            (datetime.date(1990, 4, 24), "1990-04-24"),
            (Path("x.jpg"), "x.jpg"),
            (2**62 + 1, 2**62 + 1),
            ("", ""),
        ],
    )
    def test_values_become_plain(self, value, expected):
        payload = to_payload({"mine": value})
        assert payload["mine"] == expected
        assert type(payload["mine"]) is type(expected)
        json.dumps(payload, allow_nan=False)

    @pytest.mark.parametrize(
        "value", [None, np.nan, np.inf, np.float32("nan"), np.ma.masked, np.ma.array(1, mask=True)]
    )
    def test_missing_values_are_left_out(self, value):
        assert to_payload({"mine": value, "t_min": value, "obsid": value}) == {}

    def test_known_columns_get_their_type(self):
        row = {"proposal_id": 10775, "t_min": "53000", "calib_level": 3.0, "mtFlag": "true"}
        payload = to_payload(row)
        assert from_payload(payload) == {
            "proposal_id": "10775",
            "t_min": 53000.0,
            "calib_level": 3,
            "mtFlag": True,
        }
        assert type(payload["calib_level"]) is int
        assert type(payload["mtFlag"]) is bool

    def test_what_does_not_fit_its_type_is_kept(self):
        row = {"t_min": "unknown", "calib_level": 2.5, "mtFlag": "perhaps"}
        assert from_payload(to_payload(row)) == row

    @pytest.mark.parametrize("name", ["_cells", "_footprint", "_flags", "loc"])
    def test_reserved_names(self, name):
        with pytest.raises(InvalidQueryError, match="reserved"):
            to_payload({name: 1})

    def test_helpers_are_taken_off_again(self):
        row = {"s_ra": 10.5, "s_dec": -20.25, "mtFlag": True, "own": False}
        payload = to_payload(row)
        assert set(payload) - set(row) == {"_flags"}
        assert from_payload(payload) == row


class TestPosition:
    def test_position_of_the_pairs_file(self):
        assert position_of({"ra": 350.0, "dec": 5.0}) == (350, 5)

    def test_position_of_mast_is_preferred(self):
        row = {"ra": 350.0, "dec": 5.0, "s_ra": 1.0, "s_dec": 2.0}
        assert position_of(row) == (1, 2)

    @pytest.mark.parametrize(
        "row", [{"s_ra": 1.0}, {"s_ra": 1.0, "s_dec": np.nan}, {"s_ra": 1.0, "s_dec": 95.0}]
    )
    def test_no_position(self, row):
        assert position_of(to_payload(row)) is None
