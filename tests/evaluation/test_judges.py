"""What the keyword judge takes for relevant."""

import pytest

from astro_paperclip.evaluation import PAPER_QUERIES, Judge, KeywordJudge


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("globular cluster", "The ages of GLOBULAR CLUSTERS in the bulge."),
        ("globular cluster", "Deep imaging of 47 Tuc."),
        ("globular cluster", "a globular star cluster"),
        ("dwarf galaxy", "Two dwarf irregular galaxies, and a dwarf spheroidal."),
        ("SN1987A", "The ring around SN 1987A brightens."),
        ("SN1987A", "Supernova 1987A after thirty years"),
        ("SN1987A", "imaging of SN-1987A"),
        ("SN 1987A", "imaging of SN1987A"),
        ("strong lensing", "A new gravitational lens."),
        ("strong lensing", "strong gravitational lensing by galaxies"),
        ("strong lensing", "two gravitationally lensed quasars"),
        ("strong lensing", "Einstein rings"),
        ("galaxy clusters", "the richest clusters of distant galaxies"),
        ("galaxy clusters", "a galaxy cluster's core"),
        ("clusters of galaxies", "a cluster of galaxies"),
        ("interstellar medium", "feedback heats the ISM"),
        ("interstellar medium", "molecular clouds"),
        ("dark matter", "dark-matter haloes"),
        ("spiral galaxies", "a barred spiral"),
        ("lyman alpha", "Ly-α emitters"),
        ("lyman alpha", "Lyα haloes"),
        ("lyman alpha", "Lyman-alpha forest"),
        ("comets", "Comet C/2014 UN271"),
        ("NGC 4321", "dust in NGC4321"),
        ("planetary nebula", "faint planetary nebulae"),
        ("Seyfert", "SEYFERTs"),
        ("Herbig Haro", "Herbig–Haro objects"),
        ("Barnard", "Barnárd's star"),
    ],
)
def test_relevant(query, text):
    assert KeywordJudge()(query, text)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("globular cluster", "A rich open cluster."),
        ("dwarf galaxy", "White dwarf stars in the Galaxy's halo"),
        ("galaxy clusters", "Globular clusters in the inner part of the Galaxy"),
        ("galaxy clusters", "young star clusters"),
        ("galaxy clusters", "globular clusters of the Galaxy"),
        ("SN1987A", "SN 1993J"),
        ("strong lensing", "weak lensing and strong winds"),
        ("comets", "cometary globules"),
        ("interstellar medium", "the intergalactic medium"),
        ("dark matter", "darkness does not matter"),
        ("lens", "the lensing cluster"),
        ("mass", "masseur"),
        ("M 8", "M 81 and M 82"),
    ],
)
def test_not_relevant(query, text):
    assert not KeywordJudge()(query, text)


def test_own_synonyms_and_gaps():
    text = "A protostar with a large and dusty disk"
    assert not KeywordJudge()("young stars", text)
    assert KeywordJudge({"young star": ["protostars"]})("young stars", text)
    assert not KeywordJudge()("large disk", text)
    assert KeywordJudge(gap=2)("large disk", text)
    assert not KeywordJudge({}, gap=0)("strong lensing", "strong gravitational lensing")


def test_the_papers_queries_name_themselves():
    judge = KeywordJudge()
    found = {(a, b) for a in PAPER_QUERIES for b in PAPER_QUERIES if judge(a, f"On {b}.")}
    assert found == {(query, query) for query in PAPER_QUERIES}
    assert len(PAPER_QUERIES) == 10


def test_is_a_judge():
    assert isinstance(KeywordJudge(), Judge)
    assert KeywordJudge()("comets", "a comet", image_path="comet.png") is True


def test_bad_input():
    with pytest.raises(ValueError, match="holds no word"):
        KeywordJudge()("?", "a comet")
    with pytest.raises(ValueError, match="negative: -1"):
        KeywordJudge(gap=-1)
