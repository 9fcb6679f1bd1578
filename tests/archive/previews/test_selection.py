"""Which previews are worth fetching."""

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table
from urllib3.util import Retry

from astro_paperclip.archive import Mast
from astro_paperclip.archive.previews.selection import SELECTION_RULES, select_previews
from astro_paperclip.columns import COLUMNS
from astro_paperclip.exceptions import InvalidQueryError
from astro_paperclip.simulation import serve

NAMES = ["obsid", "obs_id", "proposal_id", "obs_collection", "preview", "productFilename", "size"]


def previews(selected):
    return selected["preview"].tolist()


def rows(**columns):
    """Return a table of observations, the given columns and what else is needed."""
    number = len(next(iter(columns.values())))
    table = {
        "obsid": [str(100 + row) for row in range(number)],
        "obs_id": [f"hst_{row}" for row in range(number)],
        "proposal_id": ["7"] * number,
        "obs_collection": ["HST"] * number,
    }
    return Table(table | columns)


def reordered(table):
    return table[np.random.default_rng(3).permutation(len(table))]


def test_the_preview_that_the_observation_names(observations):
    selected = select_previews(observations)
    assert selected.colnames == NAMES
    assert sorted(previews(selected)) == sorted(observations["jpegURL"].tolist())
    by_obsid = dict(zip(observations["obsid"], observations["jpegURL"], strict=True))
    assert [by_obsid[obsid] for obsid in selected["obsid"]] == previews(selected)
    for name, preview in selected["productFilename", "preview"]:
        assert preview.endswith(f"/{name}")
    assert selected["size"].dtype == np.int64
    assert set(selected["size"]) == {0}
    assert not any(isinstance(column, MaskedColumn) for column in selected.itercols())
    assert selected["proposal_id"].description == COLUMNS["proposal_id"].description
    assert selected.meta == {"rule": "jpegURL", "left_out": {}}


def test_what_is_left_out_is_counted():
    uris = ["mast:HST/a.jpg", "", "x", "ftp://host/a.jpg", "https://host/b.jpg", "mast:HST/a.jpg"]
    uris += ["file:///etc/passwd", "http://[", "mast:HST/c.jpg", "https:///d.jpg"]
    uris = MaskedColumn(uris, mask=[uri == "x" for uri in uris])
    proposals = ["7"] * 8 + ["", "7"]
    selected = select_previews(rows(jpegURL=uris, proposal_id=proposals))
    assert previews(selected) == ["mast:HST/a.jpg", "https://host/b.jpg"]
    assert selected.meta["left_out"] == {
        "observations without a preview": 2,
        "neither a MAST URI nor a web address": 4,
        "the same as that of another observation": 1,
        "of no proposal": 1,
    }
    assert len(selected) + sum(selected.meta["left_out"].values()) == 10


def test_order_of_rows_does_not_matter(observations):
    expected = select_previews(observations)
    assert previews(select_previews(reordered(observations))) == previews(expected)
    table = rows(jpegURL=["mast:a.jpg"] * 3 + ["mast:b.jpg"])
    selected = select_previews(table[::-1])
    assert selected["obsid"].tolist() == ["100", "103"]


def test_file_names():
    uris = {
        "mast:HST/product/hst_1_drc.jpg": "hst_1_drc.jpg",
        "https://archive.stsci.edu/hst/previews/U27X/U27XCS01T.JPG": "U27XCS01T.JPG",
        "https://hla.stsci.edu/cgi-bin/preview.cgi?dataset=hst_05773_02": "hst_2.jpg",
        "https://host/": "hst_3.jpg",
        "mast:../../../evil.png": "evil.png",
    }
    selected = select_previews(rows(jpegURL=list(uris)))
    assert dict(zip(selected["preview"], selected["productFilename"], strict=True)) == uris


def test_no_observations():
    for rule in ("jpegURL", lambda observations: Table({"obsid": [], "preview": []})):
        selected = select_previews(rows(jpegURL=["x"])[:0], rule=rule)
        assert len(selected) == 0
        assert selected.colnames == NAMES
        assert selected["preview"].dtype.kind == "U"


@pytest.fixture(scope="module")
def server(simulated):
    with serve(simulated) as server:
        yield server


@pytest.fixture
def mast(server):
    return Mast(server.url, retry=Retry(3, backoff_factor=0))


def test_the_rule_of_the_paper(observations, mast, server):
    before = server.requests["file"]
    selected = select_previews(observations, rule="paper", mast=mast, progress=False)
    assert selected.colnames == NAMES
    has_total = ["_total_" in name for name in observations["obs_id"]]
    # In the simulated archive, these are the combined previews of all filters.
    assert sorted(previews(selected)) == sorted(observations["jpegURL"][has_total].tolist())
    assert all(selected["size"] > 0)
    assert server.requests["file"] == before
    left_out = selected.meta["left_out"]
    assert left_out["colour composites"] == left_out["thumbnails"] == len(selected)
    assert "more than 20 of a proposal" not in left_out


def test_some_of_each_proposal_without_replacement(observations, mast):
    def select(table=observations, **options):
        return select_previews(table, rule="paper", mast=mast, progress=False, **options)

    everything, two = select(), select(per_proposal=2)
    assert len(set(previews(two))) == len(two)
    assert set(previews(two)) < set(previews(everything))
    for proposal in set(everything["proposal_id"]):
        there = np.sum(everything["proposal_id"] == proposal)
        assert np.sum(two["proposal_id"] == proposal) == min(2, there)
    number = two.meta["left_out"]["more than 2 of a proposal"]
    assert number == len(everything) - len(two) > 0

    assert previews(select(reordered(observations), per_proposal=2)) == previews(two)
    assert previews(select(per_proposal=2, seed=1)) != previews(two)
    # What is chosen of a proposal does not depend on the others.
    one = observations[observations["proposal_id"] == two["proposal_id"][0]]
    assert previews(select(one, per_proposal=2)) == previews(two)[:2]


def test_the_choice_is_fair(mast, monkeypatch):
    products = Table(
        {
            "parent_obsid": ["100"] * 10,
            "dataURI": [f"mast:HST/{number}_total.jpg" for number in range(10)],
            "productFilename": [f"{number}_total.jpg" for number in range(10)],
            "size": [1] * 10,
        }
    )
    monkeypatch.setattr(
        "astro_paperclip.archive.previews.selection.get_product_list",
        lambda *args, **kwargs: products,
    )
    counts = dict.fromkeys(products["dataURI"].tolist(), 0)
    for seed in range(400):
        table = rows(proposal_id=["7"])
        for uri in previews(select_previews(table, rule="paper", per_proposal=3, seed=seed)):
            counts[uri] += 1
    # Each is expected 120 times, with a standard deviation of 9.2.
    assert all(70 < number < 170 for number in counts.values())


def test_an_observation_without_products_is_counted(observations, mast):
    table = Table(observations["obsid", "obs_id", "proposal_id", "obs_collection"], copy=True)
    table["obsid"][0] = "123"
    selected = select_previews(table, rule="paper", mast=mast, progress=False)
    assert selected.meta["left_out"]["observations without a preview"] == 1
    nothing = select_previews(table[:1], rule="paper", mast=mast, progress=False)
    assert len(nothing) == 0
    assert nothing.meta["left_out"] == {"observations without a preview": 1}


def test_a_rule_of_the_user():
    def first_only(observations):
        chosen = observations[:2]["obsid",]
        chosen["preview"] = ["mast:HST/x.jpg", "https://host/y"]
        chosen["size"] = [17, -1]
        return chosen

    selected = select_previews(rows(proposal_id=["8", "7", "7"]), rule=first_only)
    assert selected["preview", "obsid", "productFilename", "size"].as_array().tolist() == [
        ("https://host/y", "101", "hst_1.jpg", 0),
        ("mast:HST/x.jpg", "100", "x.jpg", 17),
    ]
    assert selected.meta == {
        "rule": "first_only",
        "left_out": {"observations without a preview": 1},
    }


def test_a_rule_may_return_what_was_not_asked_for():
    def rule(observations):
        return Table({"obsid": ["100", "5"], "preview": ["mast:a.jpg", "mast:b.jpg"]})

    selected = select_previews(rows(proposal_id=["7"]), rule=rule)
    assert previews(selected) == ["mast:a.jpg"]
    assert selected.meta["left_out"] == {"of no observation that was asked for": 1}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": "newest"}, "no rule 'newest' .* jpegURL, paper"),
        ({"rule": "paper", "per_proposal": 0}, "per_proposal=0"),
        ({"rule": lambda table: None}, "must return a table"),
        ({"rule": lambda table: Table({"preview": ["x"]})}, "returned lack the column obsid"),
        ({}, "observations lack the column jpegURL"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(InvalidQueryError, match=message):
        select_previews(rows(proposal_id=["7"]), **options)
    with pytest.raises(InvalidQueryError, match="observations lack the column obsid"):
        select_previews(Table({"a": [1]}))


def test_each_rule_is_explained():
    for rule, explanation in SELECTION_RULES.items():
        assert f'``"{rule}"``' in select_previews.__doc__
        assert explanation.endswith(".")


@pytest.mark.remote_data
def test_the_rule_of_the_paper_at_mast():
    found = Mast().observations.query_criteria(proposal_id="15354", obs_collection="HST")
    selected = select_previews(found[:50], rule="paper", progress=False)
    assert len(selected) <= 20
    assert all("total" in name for name in selected["productFilename"])
