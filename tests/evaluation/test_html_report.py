"""The report of an evaluation, as a browser reads it."""

import base64
import io
import json
import sys
from html.parser import HTMLParser
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from astro_paperclip import __version__
from astro_paperclip.cli.main import main
from astro_paperclip.evaluation import PAPER_QUERIES, write_report
from astro_paperclip.exceptions import InvalidQueryError

VOID = {"meta", "img", "br", "link"}
HOSTILE = '<script>alert(\'x\')</script><img src=x onerror="y"> & "quoted" $x ${title}'


class Page(HTMLParser):
    """Read a page: its text, its pictures, its tables, and whether its tags are closed."""

    def __init__(self, path):
        super().__init__()
        self.open, self.tags, self.images, self.rows = [], [], [], []
        self.text, self.links = "", []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append(tag)
        self.links += [attributes[name] for name in ("src", "href") if name in attributes]
        assert not [name for name in attributes if name.startswith("on")]
        if tag == "img":
            self.images.append(attributes)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" in self.open:
            return
        self.text += data
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data

    def pictures(self):
        for image in self.images:
            kind, _, content = image["src"].partition(";base64,")
            assert kind in ("data:image/png", "data:image/jpeg")
            yield Image.open(io.BytesIO(base64.b64decode(content, validate=True)))


@pytest.fixture(scope="module")
def page(metrics, tmp_path_factory):
    """Return the report of one evaluation; tests only read it."""
    return Page(write_report(tmp_path_factory.mktemp("page") / "report.html", metrics))


@pytest.fixture
def report(tmp_path):
    """Return a function that writes a report and reads it."""

    def report(metrics, **options):
        path = write_report(tmp_path / "new/report.html", metrics, **options)
        assert path == tmp_path / "new/report.html"
        assert list(path.parent.iterdir()) == [path]
        return Page(path)

    return report


def test_figures_and_pictures_are_in_the_page(metrics, report, run_folder):
    page = report(metrics, runs={"tuned": run_folder})
    sizes = [picture.size for picture in page.pictures()]
    assert len(sizes) == 4 + 2 * 6
    figures, tiles = sizes[:4], sizes[4:]
    assert all(width > 800 for width, _ in figures)
    assert set(tiles) == {(208, 208)}
    assert all(link.startswith("data:") for link in page.links)
    assert "http" not in page.source.replace('http-equiv="Content-Security-Policy"', "")
    assert [image["alt"] for image in page.images[:4]] == [
        "Accuracy against the length of the list of answers in both protocols.",
        "Loss and accuracy of held-out pairs over training.",
        "Histograms of the cosine similarities of true and shuffled pairs.",
        "Bars of the share of relevant answers to each query.",
    ]


def test_tables_have_the_metrics(metrics, page):
    rows = [row for row in page.rows if row[0] == "image → text"]
    for row, protocol in zip(rows, ("grouped", "paper"), strict=True):
        measures = metrics["protocols"][protocol]["image_to_text"]
        low, high = (f"{100 * limit:.1f}" for limit in measures["interval95"]["10"])
        assert row[1:7] == [
            f"{100 * measures['top_percent'][p]:.1f}" for p in measures["top_percent"]
        ]
        assert row[7:9] == [f"{low} – {high}", f"{100 * measures['auc']:.1f}"]
        assert row[9] == f"{measures['median_rank']:g} of {measures['candidates']}"
    (by_position,) = [row for row in page.rows if row[0] == "ties as in the paper"]
    expected = metrics["protocols"]["paper"]["image_to_text"]["ties_by_position"]["top_percent"]
    assert by_position[4] == f"{100 * expected['10']:.1f}"
    rows = {row[0]: row[1:] for row in page.rows}
    assert rows["chance"] == [
        f"{100 * metrics['relevance']['chance'][kind]:.1f}" for kind in ("images", "proposals")
    ]


def test_it_says_what_it_is_of(metrics, report):
    page = report(metrics | {"skipped": [{"image": "x.jpg", "reason": "it is <cut> short"}]})
    assert "<title>Evaluation of an-encoder</title>" in page.source
    assert "12 images, 6 different captions, 6 groups" in page.text
    rows = {row[0]: row[1] for row in page.rows if len(row) == 2}
    assert rows["fingerprint"] == "f1" * 32
    assert rows["pairs"] == "pairs.csv"
    assert rows["x.jpg"] == "it is <cut> short"
    assert rows["astro_paperclip"].split("+")[0] == __version__.split("+")[0]
    assert rows["numpy"] == np.__version__
    for word in ("Grouped protocol", "Paper's protocol", "arXiv:2403.08851", "keywords", "UTC"):
        assert word in page.text


def test_hostile_texts_stay_texts(make_metrics, report):
    metrics = make_metrics(name=HOSTILE, queries=[f"comet {HOSTILE}"])
    (found,) = metrics["answers"].values()
    found[0] |= {"caption": HOSTILE, "group_id": HOSTILE}
    metrics["pairs"] = [HOSTILE]
    metrics["relevance"]["judge"] = HOSTILE
    metrics["skipped"] = [{"image": HOSTILE, "reason": HOSTILE}]
    page = report(metrics)
    assert "script" not in page.tags
    assert "<script" not in page.source
    assert page.text.count("<script>alert('x')</script>") >= 8
    assert page.text.count("$x ${title}") >= 8


def test_several_evaluations(make_metrics, report):
    several = {"tuned": make_metrics(0.2), "base": make_metrics(3.0)}
    page = report(several)
    names = [row[0] for row in page.rows]
    assert names.count("tuned, image → text") == names.count("base, text → image") == 2
    assert "different pairs" not in page.text
    batches = {row[0]: row for row in page.rows if len(row) == 7}
    assert batches["base"][2] == f"{several['base']['in_batch']['loss']:.3f}"
    # Pictures are those of the first.
    assert len(page.images) == 3 + 2 * 6


def test_evaluations_of_different_pairs(make_metrics, report):
    page = report({"all": make_metrics(), "half": make_metrics(images=6)})
    assert "are of different pairs" in page.text


def test_with_curves_of_the_paper(metrics, report, run_folder, shared):
    page = report(metrics, runs={"tuned": run_folder}, reference=shared / "data/paper")
    assert "Dashed grey: figure 3" in page.text
    assert "Dashed grey: figure 2" in page.text


def test_without_queries_and_text_search(metrics, report):
    relevance = metrics["relevance"] | {"tfidf": {"skipped": "scikit-learn is not installed"}}
    assert (
        "captions: scikit-learn is not installed."
        in report(metrics | {"relevance": relevance}).text
    )
    bare = {name: metrics[name] for name in metrics if name not in ("relevance", "answers")}
    page = report(bare)
    assert len(page.images) == 2
    assert "relevan" not in page.text
    assert "What queries find" not in page.text


def test_pictures_that_are_gone(make_metrics, report, tmp_path):
    metrics = make_metrics(queries=["comet"])
    for answer in metrics["answers"]["comet"][:2]:
        answer["image"] = str(tmp_path / "gone.jpg")
    page = report(metrics)
    assert page.text.count("The picture cannot be read.") == 2
    assert len(page.images) == 3 + 4


def test_size_is_bounded(make_metrics, report, tmp_path):
    """Noise is what JPEG makes least small, and there are more queries than are shown."""
    pixels = np.random.default_rng(0).integers(0, 256, (300, 210, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "noise.jpg")
    metrics = make_metrics(queries=[f"comet {number}" for number in range(40)])
    for found in metrics["answers"].values():
        for answer in found:
            answer |= {"image": str(tmp_path / "noise.jpg"), "caption": "long " * 10_000}
    page = report(metrics)
    assert len(page.source) < 6e6
    assert "The first 24 of 40 queries" in page.text


@pytest.mark.parametrize("options", [{"runs": {"a": "nowhere"}}, {"reference": "nowhere"}])
def test_faulty_folders_leave_nothing_behind(metrics, tmp_path, options):
    with pytest.raises(InvalidQueryError, match="nowhere"):
        write_report(tmp_path / "new/report.html", metrics, **options)
    assert not (tmp_path / "new").exists()


# The command


@pytest.fixture
def encoder(monkeypatch, run_folder):
    """Let the command load an encoder of random vectors, which was trained in a folder."""
    rng = np.random.default_rng(0)

    def encode_image_files(paths, **_):
        yield np.arange(len(paths)), rng.normal(size=(len(paths), 8)), []

    encoder = SimpleNamespace(
        name=str(run_folder),
        fingerprint="0" * 64,
        dim=8,
        folder=run_folder,
        encode_texts=lambda texts: rng.normal(size=(len(texts), 8)),
        encode_image_files=encode_image_files,
    )
    room = ModuleType("astro_paperclip.encoders")
    room.load = lambda name, device=None: encoder
    monkeypatch.setitem(sys.modules, room.__name__, room)
    return encoder


@pytest.fixture
def command(pictures, tmp_path):
    """Return the arguments of an evaluation."""
    lines = [f"{path},caption {row % 4},group{row % 4}" for row, path in enumerate(pictures)]
    (tmp_path / "pairs.csv").write_text("\n".join(["image,text,group_id", *lines]))
    files = f"--pairs {tmp_path / 'pairs.csv'} --output {tmp_path / 'out'}"
    return f"evaluate --encoder tuned --quiet {files}".split()


def test_one_command_makes_the_report(encoder, command, tmp_path, capsys):
    assert main([*command, "--report"]) == 0
    assert (
        capsys.readouterr().out.rstrip().endswith(f"The report is {tmp_path / 'out/report.html'}.")
    )
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"metrics.json", "report.html"}
    page = Page(tmp_path / "out/report.html")
    assert "Training" in page.text
    for query in PAPER_QUERIES:
        assert query in page.text
    assert len(page.images) == 4 + 6 * len(PAPER_QUERIES)


def test_without_report_there_is_none(encoder, command, tmp_path):
    assert main(command) == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["metrics.json"]


def test_own_queries_and_comparison(encoder, command, metrics, tmp_path):
    (tmp_path / "queries.txt").write_text("barred  spiral\n\ncomet\nbarred spiral\n")
    (tmp_path / "base").mkdir()
    (tmp_path / "base/metrics.json").write_text(json.dumps(metrics))
    encoder.folder = None
    options = f"--report --compare {tmp_path / 'base'} --queries {tmp_path / 'queries.txt'}"
    assert main([*command, *options.split()]) == 0
    written = json.loads((tmp_path / "out/metrics.json").read_text())
    assert list(written["answers"]) == written["relevance"]["queries"] == ["barred spiral", "comet"]
    page = Page(tmp_path / "out/report.html")
    rows = [row[0] for row in page.rows]
    assert {"tuned, image → text", "base, image → text"} <= set(rows)
    # What was asked otherwise is not compared.
    after = rows[rows.index("Mean over the queries, %") :]
    assert "base" not in after[: after.index("best possible")]
    assert "base was asked other queries" in page.text
    assert "Training" not in page.text


def test_mistakes_are_found_before_anything_is_encoded(encoder, command, tmp_path, capsys):
    encoder.encode_image_files = None
    (tmp_path / "empty.txt").write_text("\n \n")
    (tmp_path / "marks.txt").write_text("galaxies\n???\n")
    (tmp_path / "latin.txt").write_bytes(b"\xe9toile")
    for options, reason in (
        (["--compare", "nowhere"], "nowhere: no metrics can be read: No such file"),
        (["--reference", str(tmp_path)], "holds no curves of the paper"),
        (["--queries", str(tmp_path / "empty.txt")], "there is no query"),
        (["--queries", str(tmp_path / "marks.txt")], "the query '???' holds no word"),
        (["--queries", str(tmp_path / "latin.txt")], "no text in UTF-8"),
        (["--queries", "nowhere"], "No such file or directory: nowhere"),
    ):
        assert main([*command, "--report", *options]) == 1
        assert reason in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["--compare", "--reference"])
def test_options_of_the_report_need_it(command, option, capsys):
    with pytest.raises(SystemExit) as end:
        main([*command, option, "x"])
    assert end.value.code == 2
    assert "--report" in capsys.readouterr().err


def test_without_matplotlib(encoder, command, tmp_path, monkeypatch, capsys):
    encoder.encode_image_files = None
    for name in [name for name in sys.modules if name.startswith("astro_paperclip.evaluation.fig")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for name in [name for name in sys.modules if name.startswith("matplotlib.")]:
        monkeypatch.delitem(sys.modules, name)
    assert main([*command, "--report"]) == 1
    assert "matplotlib is not installed: python -m pip install" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
