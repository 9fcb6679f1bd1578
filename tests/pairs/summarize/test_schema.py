"""What a summary may hold, and its caption."""

import jsonschema
import pytest
from pydantic import ValidationError

from astro_paperclip.pairs.summarize import Summary

OBJECTS = ["globular clusters", "white dwarfs"]
USES = ["ages of the oldest stars"]


def summary(objects, uses):
    return Summary(objects_and_phenomena=objects, science_use_cases=uses)


WRONG = {
    "no object": ([], USES),
    "no use": (OBJECTS, []),
    "six objects": ([f"kind {n}" for n in range(6)], USES),
    "six uses": (OBJECTS, [f"use {n}" for n in range(6)]),
    "an empty string": ([""], USES),
    "a long object": (["x" * 41], USES),
    "a long use": (OBJECTS, ["x" * 61]),
    "a comma": (["stars, nebulae"], USES),
    "a semicolon": (OBJECTS, ["ages; distances"]),
    "a line break": (["red\nstars"], USES),
    "a line break at the end": (["red stars\n"], USES),
    "markup": (["<b>stars</b>"], USES),
    "a leading space": ([" stars"], USES),
    "no string": ([7], USES),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_a_summary_may_not_hold(case):
    objects, uses = WRONG[case]
    with pytest.raises(ValidationError):
        summary(objects, uses)
    # A model on a server is guided by the JSON schema alone: it must be as strict.
    if case != "a line break at the end":  # which Python's $ lets pass
        answer = {"objects_and_phenomena": objects, "science_use_cases": uses}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(answer, Summary.model_json_schema())


def test_other_fields_are_refused():
    with pytest.raises(ValidationError, match="extra"):
        Summary(objects_and_phenomena=OBJECTS, science_use_cases=USES, telescope="JWST")


def test_shortest_strings():
    with pytest.raises(ValidationError):
        summary(["I"], USES)
    assert summary(["Io"], USES)


def test_names_of_the_field_fit():
    names = [
        "H II regions",
        "Herbig Ae/Be stars",
        "Sgr A (the Galactic center)",
        "Stephan's Quintet",
    ]
    assert summary(names, USES).objects_and_phenomena == names


def test_caption_is_the_papers():
    assert summary(OBJECTS, USES).as_caption() == (
        "globular clusters, white dwarfs; ages of the oldest stars"
    )


def test_what_is_too_long_loses_whole_strings():
    full = summary([f"kind {n} of things" for n in range(5)], [f"use number {n}" for n in range(5)])
    whole = full.as_caption()
    assert whole.count(",") == 8
    shorter = full.as_caption(len(whole) - 1)
    assert shorter == whole.removesuffix(", use number 4")
    assert full.as_caption(1) == "kind 0 of things; use number 0"


def test_longest_strings_make_a_bounded_caption():
    longest = summary(["x" * 40] * 5, ["y" * 60] * 5)
    assert 200 < len(longest.as_caption()) <= 290
