"""Vocabularies: what ships with the package, and what is read from files."""

import csv
import json
from graphlib import TopologicalSorter

import pytest

from astro_paperclip.exceptions import InvalidQueryError, VocabularyError
from astro_paperclip.vocabulary import KINDS, Concept, Vocabulary

THESAURUS = [
    {"name": "Stars", "uri": "uat/1", "altNames": ["Stellar objects"], "broader": None},
    {
        "name": "DA stars",
        "uri": "uat/2",
        "altNames": None,
        "broader": [{"name": "Stars", "uri": "uat/1"}],
    },
    {"name": "Hydrogen dwarfs", "uri": "uat/3", "status": "deprecated", "useInstead": ["uat/2"]},
    {
        "name": "Old things",
        "uri": "uat/4",
        "status": "deprecated",
        "useInstead": ["uat/1", "uat/2"],
    },
    {"name": "Darkrooms", "uri": "uat/5", "status": "deprecated"},
]


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a file and returns its path."""

    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def vocabulary():
    """Return the vocabulary of the package."""
    return Vocabulary.default()


class TestDefault:
    def test_has_a_few_hundred_concepts(self, vocabulary):
        assert 300 <= len(vocabulary) <= 500
        assert len({label.casefold() for label in vocabulary.labels}) == len(vocabulary)

    def test_is_read_once(self, vocabulary):
        assert Vocabulary.default() is vocabulary

    def test_every_concept_descends_from_a_branch(self, vocabulary):
        parents = {concept.label: concept.broader for concept in vocabulary}
        order = list(TopologicalSorter(parents).static_order())  # raises where there is a circle
        assert sorted(order) == sorted(vocabulary.labels)
        roots = [label for label, broader in parents.items() if not broader]
        assert len(roots) == 9
        assert {"exoplanets", "stars", "galaxies", "cosmology"} <= set(roots)

    def test_no_name_means_two_things(self, vocabulary):
        names = [
            name.casefold() for concept in vocabulary for name in (concept.label, *concept.synonyms)
        ]
        assert sorted(names) == sorted(set(names))

    def test_kinds(self, vocabulary):
        assert {concept.kind for concept in vocabulary} == set(KINDS)
        assert vocabulary["planetary nebulae"].kind == "object"
        assert vocabulary["reionization"].kind == "phenomenon"
        assert vocabulary["photometry"].kind == "topic"

    def test_every_concept_has_a_use_or_inherits_one(self, vocabulary):
        def uses(label):
            concept = vocabulary[label]
            return {concept.use} if concept.use else set().union(*map(uses, concept.broader))

        assert all(uses(label) for label in vocabulary.labels)
        assert max(len(concept.use) for concept in vocabulary) <= 60

    @pytest.mark.parametrize(
        "query",
        [
            "globular cluster",
            "dwarf galaxy",
            "SN1987A",
            "strong lensing",
            "galaxy clusters",
            "interstellar medium",
            "dark matter",
            "spiral galaxies",
            "lyman alpha",
            "comets",
        ],
    )
    def test_knows_the_queries_of_the_paper(self, vocabulary, query):
        names = {
            name.casefold() for concept in vocabulary for name in (concept.label, *concept.synonyms)
        }
        assert query.casefold() in names

    def test_wording_is_not_the_thesaurus_s(self, vocabulary, shared):
        entries = json.loads((shared / "data/uat/UAT_list.json").read_text(encoding="utf-8"))
        definitions = " ".join(entry.get("definition") or "" for entry in entries).casefold()
        for concept in vocabulary:
            assert len(concept.use.split()) < 5 or concept.use.casefold() not in definitions


class TestVocabulary:
    def test_labels_and_concepts(self):
        vocabulary = Vocabulary(["stars", Concept("red stars", broader=("stars",))])
        assert vocabulary.labels == ("stars", "red stars")
        assert list(vocabulary) == [Concept("stars"), Concept("red stars", (), ("stars",))]
        assert repr(vocabulary) == "<Vocabulary 'vocabulary': 2 concepts>"

    def test_case_and_spacing_do_not_count(self):
        vocabulary = Vocabulary(
            [" Red\n giants", Concept("Mira", broader=("red  GIANTS",)), Concept("stars")]
        )
        assert "RED GIANTS" in vocabulary
        assert 3 not in vocabulary
        assert vocabulary["red giants"].label == "Red giants"
        assert vocabulary["mira"].broader == ("Red giants",)
        assert vocabulary.narrower("red giants") == ("Mira",)
        assert vocabulary.narrower("Mira") == ()

    def test_unknown_label(self):
        with pytest.raises(KeyError, match="vocabulary has no concept 'quasars'"):
            Vocabulary(["stars"])["quasars"]

    def test_concepts_of_the_same_label_become_one(self):
        vocabulary = Vocabulary(
            [
                Concept("Novae", ("nova",)),
                "stars",
                "galaxies",
                Concept("novae", ("Nova", "novae", "new stars"), ("stars",), "object", "a use"),
                Concept("NOVAE", (), ("galaxies", "Stars"), "phenomenon", "another use"),
            ]
        )
        assert vocabulary.labels == ("Novae", "stars", "galaxies")
        assert vocabulary["novae"] == Concept(
            "Novae", ("nova", "new stars"), ("stars", "galaxies"), "object", "a use"
        )

    def test_every_fault_is_listed(self):
        concepts = [Concept("a", broader=("b",)), Concept("--"), Concept("c", kind="thing")]
        with pytest.raises(VocabularyError) as caught:
            Vocabulary(concepts, name="mine")
        assert str(caught.value).splitlines() == [
            "mine is no vocabulary:",
            "  'a': broader 'b' is not a label of this vocabulary",
            "  '--' is no label: it has no letter",
            "  'c': kind 'thing' is none of object, phenomenon, topic",
        ]

    def test_a_long_list_of_faults_is_cut(self):
        with pytest.raises(VocabularyError, match=r"\.\.\. and 15 more$"):
            Vocabulary(str(number) for number in range(25))

    def test_circle(self):
        concepts = [Concept("a", broader=("b",)), Concept("b", broader=("a",)), Concept("c")]
        with pytest.raises(VocabularyError, match=r"broader than themselves: '[ab]' > '[ab]' > "):
            Vocabulary(concepts)
        with pytest.raises(VocabularyError, match="broader than themselves: 'a' > 'a'"):
            Vocabulary([Concept("a", broader=("A",))])

    def test_one_text_is_no_list(self):
        with pytest.raises(VocabularyError, match=r"not 'stars': Vocabulary\.read"):
            Vocabulary("stars")

    def test_empty(self):
        with pytest.raises(VocabularyError, match="it has no concept"):
            Vocabulary([])


class TestRead:
    @pytest.mark.parametrize("name", ["labels.txt", "labels", "labels.lst"])
    def test_lines(self, write, name):
        text = "\ufeff# mine\nspiral galaxies\n\n  SN#1987A \nnovae # many\r\nSpiral  Galaxies\n"
        path = write(name, text)
        vocabulary = Vocabulary.read(path)
        assert vocabulary.labels == ("spiral galaxies", "SN#1987A", "novae")
        assert vocabulary.name == str(path)

    def test_csv(self, write):
        path = write("labels.CSV", 'number, Label \n1,"rings, thin"\n\n2,"two\nlines"\n3,moons\n')
        assert Vocabulary.read(str(path)).labels == ("rings, thin", "two lines", "moons")

    def test_json_list(self, write):
        path = write("labels.json", json.dumps(["étoiles", "novae"]))
        assert Vocabulary.read(path).labels == ("étoiles", "novae")

    def test_toml(self, write):
        text = """
            ["open clusters"]
            broader = ["clusters"]
            synonyms = ["Galactic clusters"]
            kind = "object"
            use = "ages"
            [clusters]
            """
        vocabulary = Vocabulary.read(write("labels.toml", text))
        assert list(vocabulary) == [
            Concept("open clusters", ("Galactic clusters",), ("clusters",), "object", "ages"),
            Concept("clusters"),
        ]

    def test_thesaurus(self, write):
        vocabulary = Vocabulary.read(write("UAT_list.json", json.dumps(THESAURUS)))
        assert list(vocabulary) == [
            Concept("Stars", ("Stellar objects",)),
            Concept("DA stars", ("Hydrogen dwarfs",), ("Stars",)),
        ]

    def test_the_thesaurus_itself(self, shared):
        path = shared / "data/uat/UAT_list.json"
        current = {
            entry["name"].strip(): entry
            for entry in json.loads(path.read_text(encoding="utf-8"))
            if "status" not in entry
        }
        vocabulary = Vocabulary.read(path)
        assert sorted(vocabulary.labels) == sorted(current)
        for label, entry in current.items():
            broader = {parent["name"].strip() for parent in entry["broader"] or ()}
            narrower = {child["name"].strip() for child in entry["narrower"] or ()}
            assert set(vocabulary[label].broader) == broader
            assert set(vocabulary.narrower(label)) == narrower
            known = {name.casefold() for name in (label, *vocabulary[label].synonyms)}
            assert {name.strip().casefold() for name in entry["altNames"] or ()} <= known

    def test_its_labels_as_csv_are_the_same(self, shared, tmp_path):
        labels = Vocabulary.read(shared / "data/uat/UAT_list.json").labels
        with (tmp_path / "uat.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([["label"], *([label] for label in labels)])
        assert Vocabulary.read(tmp_path / "uat.csv").labels == labels

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("a.txt", "# nothing\n", "it has no concept: give at least one label"),
            ("a.txt", "stars\n----\n", "'----' is no label: it has no letter"),
            ("a.txt", b"\xff\xfe\x00", "no text in UTF-8: write one label a line"),
            ("a.rdf", "<?xml version='1.0'?>\n<a/>", r"markup, .* UAT_list\.json"),
            ("a.ttl", "@prefix a: <b> .", r"markup, .* UAT_list\.json"),
            ("a.csv", "name\nstars\n", r"must name a column 'label', but names \['name'\]"),
            ("a.csv", "", "must name a column 'label'"),
            ("a.csv", "n,label\n1,stars\n2\n", "row 2 has no label"),
            ("a.json", "[", "Expecting value"),
            ("a.json", '{"stars": 1}', "it must hold a list of labels"),
            ("a.json", '["stars", 3]', "entry 2 is neither a label nor"),
            ("a.json", '[{"label": "stars"}]', "entry 1 is neither a label nor"),
            ("a.json", '[{"name": "a", "broader": ["b"]}]', "entry 1 is neither a label nor"),
            ("a.json", '[{"name": 3}]', "entry 1 is neither a label nor"),
            ("a.toml", "stars", "Expected"),
            ("a.toml", "stars = 1", r"'stars' must head a table: write \[\"stars\"\]"),
            ("a.toml", "[stars]\nsynonym = []", "'synonym' is none of synonyms, broader"),
            ("a.toml", "[stars]\nbroader = 'a'", "broader must be a list of texts, not 'a'"),
            ("a.toml", "[stars]\nuse = 3", "use must be a text, not 3"),
            ("a.toml", "[stars]\nkind = 'x'", "kind 'x' is none of object"),
        ],
    )
    def test_what_is_no_vocabulary(self, write, name, content, message):
        path = write(name, content)
        with pytest.raises(VocabularyError, match=message) as caught:
            Vocabulary.read(path)
        assert str(path) in str(caught.value)
        assert isinstance(caught.value, InvalidQueryError)

    def test_no_such_file(self, tmp_path):
        with pytest.raises(VocabularyError, match=r"nix\.txt: No such file or directory"):
            Vocabulary.read(tmp_path / "nix.txt")
        with pytest.raises(VocabularyError, match="Is a directory"):
            Vocabulary.read(tmp_path)
