"""The parser of abstracts.cat: the awkward cases, and whatever hypothesis makes up."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from astro_paperclip.archive.proposals.catalogue import (
    FIELDS,
    clean_text,
    gather,
    parse_catalogue,
    plain_number,
)

RULE = "-" * 78

LABELS = {
    "proposal_type": "Prop. Type",
    "category": "Category",
    "proposal_id": "ID",
    "cycle": "Cycle",
    "title": "Title",
    "proposal_pi": "PI",
}

PROPOSAL = {
    "proposal_type": "GO",
    "category": "GALAXIES",
    "proposal_id": "10001",
    "cycle": "12",
    "title": "Locating bright sources",
    "proposal_pi": "Ada Example",
    "abstract": "We point. We look. We see.",
}


def written(*proposals, end="\n"):
    """Write proposals as STScI does."""
    lines = []
    for proposal in proposals:
        lines.append(RULE)
        lines += [f"{label}: {proposal[name]}" for name, label in LABELS.items()]
        lines += ["", *proposal["abstract"].split("\n")]
    return end.join([*lines, RULE, ""])


def parsed(text):
    return parse_catalogue(io.BytesIO(text if isinstance(text, bytes) else text.encode()))


def only(text):
    """Return the one proposal of a catalogue without faults."""
    catalogue = parsed(text)
    assert catalogue.faults == []
    (row,) = catalogue.rows
    return row


def test_a_record():
    assert only(written(PROPOSAL)) == PROPOSAL


def test_an_abstract_of_several_lines_and_paragraphs():
    abstract = "We point.\nWe look.\n\n   Title: not a title,\nPI: nor a name.\nWe see."
    row = only(written(PROPOSAL | {"abstract": abstract}))
    assert row["abstract"] == "We point. We look. Title: not a title, PI: nor a name. We see."
    assert row["title"] == PROPOSAL["title"]


def test_fields_over_several_lines():
    text = written(PROPOSAL)
    text = text.replace("Locating bright", "Locating\n       bright").replace("Ada ", "Ada\n    ")
    assert only(text) == PROPOSAL


def test_an_abstract_right_after_the_name():
    first = "We ask what makes the brightest of all the sources in the sky shine at all."
    text = written(PROPOSAL | {"abstract": f"{first}\n\nWe look."}).replace("\n\n", "\n", 1)
    assert only(text) == PROPOSAL | {"abstract": f"{first} We look."}


def test_a_record_without_a_name():
    text = written(PROPOSAL).replace("PI: Ada Example\n", "")
    assert only(text) == PROPOSAL | {"proposal_pi": ""}


def test_colons_in_a_title():
    title = "STIS Pure Parallel Imaging Program: Cycle 12: Part 2"
    assert only(written(PROPOSAL | {"title": title}))["title"] == title


@pytest.mark.parametrize("name", ["category", "cycle", "proposal_type", "title", "abstract"])
def test_an_empty_field_and_a_missing_one(name):
    text = written(PROPOSAL | {name: ""})
    assert only(text) == PROPOSAL | {name: ""}
    if name in LABELS:
        without = "".join(
            line for line in text.splitlines(True) if not line.startswith(LABELS[name])
        )
        assert only(without) == PROPOSAL | {name: ""}


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"])
def test_line_ends(end):
    catalogue = parsed(written(PROPOSAL, PROPOSAL | {"proposal_id": "x"}, end=end))
    assert catalogue.rows == [PROPOSAL]
    assert [line for line, _ in catalogue.faults] == [11]


@pytest.mark.parametrize("tail", ["", RULE, f"{RULE}\n{RULE}\n\n\n", f"{RULE}\n \x0c\n"])
def test_the_end_of_the_file(tail):
    text = written(PROPOSAL).removesuffix(RULE + "\n")
    assert only(text + tail) == PROPOSAL


def test_a_byte_order_mark():
    assert only(b"\xef\xbb\xbf" + written(PROPOSAL).encode()) == PROPOSAL
    text = written(PROPOSAL).removeprefix(RULE + "\n")
    assert only(b"\xef\xbb\xbf" + text.encode()) == PROPOSAL


def test_encodings_mixed_even_within_a_record():
    name, title = "José Müller", "Señor’s “α” – 5 µm"
    text = written(PROPOSAL | {"proposal_pi": "@NAME@", "title": "@TITLE@"}).encode()
    text = text.replace(b"@NAME@", name.encode("cp1252")).replace(b"@TITLE@", title.encode())
    text += written(PROPOSAL | {"proposal_id": "2", "proposal_pi": name}).encode()
    text += written(PROPOSAL | {"proposal_id": "3", "proposal_pi": name}).encode("cp1252")
    catalogue = parsed(text)
    assert [row["proposal_pi"] for row in catalogue.rows] == [name] * 3
    assert catalogue.rows[0]["title"] == title


def test_bytes_of_no_encoding_lose_no_record():
    text = written(PROPOSAL).replace("We look.", "We @.").encode().replace(b"@", b"\x81\xff\xfe")
    row = only(text)
    assert row["proposal_id"] == "10001"
    assert row["abstract"].startswith("We point. We ")


def test_what_cannot_be_seen_goes_and_entities_are_resolved():
    dirty = "A&lt;B &amp; C&#8217;s\x00 5\xa0&micro;m, AT&T; a\u200bb\x1fc\ufeff"
    assert clean_text(dirty) == "A<B & C’s 5 µm, AT&T; ab c"
    assert only(written(PROPOSAL | {"title": dirty}))["title"] == clean_text(dirty)


def test_an_introduction_is_no_fault():
    text = "HST proposals\n\nproduced today\n" + written(PROPOSAL)
    assert only(text) == PROPOSAL


def test_damaged_records_are_named_by_line_and_the_rest_is_kept():
    second, third = PROPOSAL | {"proposal_id": "10002"}, PROPOSAL | {"proposal_id": "10003"}
    damaged = written(PROPOSAL | {"proposal_id": "10x"}).removesuffix(RULE + "\n")
    without_id = written(PROPOSAL).replace("ID: 10001\n", "").removesuffix(RULE + "\n")
    mute = written(PROPOSAL | {"title": "", "abstract": "", "proposal_id": "7"})
    stray = f"{RULE}\nlost words\n"
    parts = [
        written(second).removesuffix(RULE + "\n"),
        damaged,
        without_id,
        mute.removesuffix(RULE + "\n"),
        stray,
        written(third),
    ]
    catalogue = parsed("".join(parts))
    assert catalogue.rows == [second, third]
    starts = [2 + sum(part.count("\n") for part in parts[:number]) for number in range(6)]
    assert [line for line, _ in catalogue.faults] == starts[1:5]
    messages = [message for _, message in catalogue.faults]
    assert "'10x'" in messages[0]
    assert "found none" in messages[1]
    assert "proposal 7" in messages[2]
    assert "belongs to no proposal" in messages[3]
    assert (catalogue.n_records, catalogue.n_damaged, catalogue.n_duplicates) == (6, 4, 0)


def test_a_missing_line_of_dashes():
    second = PROPOSAL | {"proposal_id": "10002"}
    text = written(PROPOSAL, second)
    assert parsed(text.replace(f"\n{RULE}\n", "\n", 1)).rows == [PROPOSAL, second]


def test_a_line_of_dashes_in_an_abstract_is_reported():
    catalogue = parsed(written(PROPOSAL | {"abstract": f"We point.\n{RULE}\nWe look."}))
    assert catalogue.rows == [PROPOSAL | {"abstract": "We point."}]
    assert catalogue.faults == [(11, "text that belongs to no proposal")]


def test_duplicates():
    fuller = PROPOSAL | {"title": "Another title"}
    poorer = PROPOSAL | {"cycle": ""}
    other = PROPOSAL | {"proposal_id": "5"}
    catalogue = parsed(written(poorer, other, PROPOSAL, PROPOSAL, fuller, poorer))
    assert catalogue.rows == [fuller, other]
    assert [line for line, _ in catalogue.faults] == [2, 20, 47]
    assert "line 38" in catalogue.faults[-1][1]
    assert (catalogue.n_records, catalogue.n_damaged, catalogue.n_duplicates) == (6, 0, 4)
    assert parsed(written(PROPOSAL, PROPOSAL)).faults == []


@pytest.mark.parametrize("found", ["", "  \n", "no catalogue at all", RULE, "<html>\n<p>Sorry"])
def test_no_catalogue(found):
    catalogue = parsed(found)
    assert (catalogue.rows, catalogue.n_records) == ([], 0)


@pytest.mark.parametrize(
    ("found", "plain"),
    [("12", "12"), ("Cycle 4", "4"), ("cycle 07", "7"), ("29.0", "29"), ("7N", "7N"), ("", "")],
)
def test_cycles(found, plain):
    assert plain_number(found) == plain


def test_records_of_tables():
    catalogue = gather([(1, {"proposal_id": "0042.0", "title": "T", "proposal_pi": "PI: A. B."})])
    expected = dict.fromkeys(FIELDS, "") | {"proposal_id": "42", "title": "T"}
    assert catalogue.rows == [expected | {"proposal_pi": "A. B."}]


# Texts as they come out again: any visible characters, single blanks, no entity.
WORDS = st.text(
    st.characters(exclude_categories=("C", "Z"), exclude_characters="&-:"), min_size=1, max_size=12
).filter(lambda word: clean_text(word) == word)
TEXT = st.lists(WORDS, max_size=12).map(" ".join)
FOUND = st.fixed_dictionaries(
    {
        "proposal_type": TEXT,
        "category": TEXT,
        "cycle": st.integers(0, 99).map(str) | st.just(""),
        "title": st.lists(WORDS, min_size=1, max_size=12).map(" ".join),
        "proposal_pi": TEXT,
        "abstract": TEXT,
    }
)


@settings(database=None, deadline=None)
@given(st.data())
def test_whatever_was_written_is_read(data):
    proposals = [
        {"proposal_id": str(number), **data.draw(FOUND)}
        for number in range(1, data.draw(st.integers(0, 5)) + 1)
    ]
    end = data.draw(st.sampled_from(["\n", "\r\n", "\r"]))
    catalogue = parsed(written(*proposals, end=end))
    assert catalogue.rows == proposals
    assert (catalogue.faults, catalogue.n_records) == ([], len(proposals))


@settings(database=None, deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_harm_the_records_around_them(noise):
    other = PROPOSAL | {"proposal_id": "2"}
    catalogue = parsed(written(PROPOSAL).encode() + noise + b"\n" + written(other).encode())
    assert catalogue.rows[0] == PROPOSAL
    assert catalogue.rows[-1] == other
    numbers = catalogue.n_damaged + catalogue.n_duplicates + len(catalogue.rows)
    assert numbers == catalogue.n_records
