"""What a reader sees in the figures: their data, labels and legends."""

import io
import warnings

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from astro_paperclip.evaluation import PaperCurves, RunLogs, read_paper_curves
from astro_paperclip.evaluation.figures import (
    draw_accuracy_curves,
    draw_gallery,
    draw_relevance,
    draw_similarities,
    draw_training_curves,
)

PAPER = PaperCurves(
    {"summary_ft": (np.array([0, 0.5, 1]), np.array([0, 0.9, 1]))},
    {"summary_ft": (np.array([0, 6400, 640_000]), np.array([0.1, 0.3, 0.7]))},
)


def legend(where):
    """Return the entries of the legend of a figure or panel."""
    found = where.legends[0] if isinstance(where, Figure) else where.get_legend()
    return [text.get_text() for text in found.get_texts()]


def lines(axes):
    return {line.get_label(): line for line in axes.lines}


def drawn(figure):
    """Draw a figure as a user would save it, and return it as a picture."""
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(stream, dpi=40)
    return Image.open(stream)


# Accuracy


def test_accuracy_curves_are_those_of_the_metrics(metrics):
    figure = draw_accuracy_curves(metrics)
    paper, grouped = figure.axes
    for axes, protocol in ((paper, "paper"), (grouped, "grouped")):
        for direction, label in (
            ("image_to_text", "image → text"),
            ("text_to_image", "text → image"),
        ):
            curve = metrics["protocols"][protocol][direction]
            curve = curve.get("ties_by_position", curve)["curve"]
            np.testing.assert_array_equal(lines(axes)[label].get_xdata(), curve["fraction"])
            np.testing.assert_array_equal(lines(axes)[label].get_ydata(), curve["accuracy"])
        assert lines(axes)["chance"].get_xydata().tolist() == [[0, 0], [1, 1]]
        assert axes.get_xlabel() == "Length of the list of answers [% of the candidates]"
    assert paper.get_ylabel() == "Right answer in the list [%]"
    assert legend(figure) == ["image → text", "text → image", "chance", "best possible"]
    drawn(figure)
    assert [text.get_text() for text in paper.get_xticklabels()] == [
        "0",
        "20",
        "40",
        "60",
        "80",
        "100",
    ]


def test_ceiling_is_drawn_where_captions_repeat(metrics):
    """Each of 6 captions has 2 of 12 images: a perfect model finds half of them first."""
    paper, grouped = draw_accuracy_curves(metrics).axes
    points = dict(lines(paper)["best possible"].get_xydata())
    assert points[1 / 12] == 0.5
    assert points[0.5] == points[1] == 1
    assert "best possible" not in lines(grouped)


def test_several_models_are_overlaid(make_metrics):
    several = {"base $1": make_metrics(3.0), "_tuned": make_metrics(0.2)}
    figure = draw_accuracy_curves(several, protocols=["grouped"], directions=["text_to_image"])
    (axes,) = figure.axes
    assert legend(figure) == ["base $1", "_tuned", "text → image", "chance"]
    for label, one in several.items():
        curve = one["protocols"]["grouped"]["text_to_image"]["curve"]
        line = lines(axes)[f"{label}, text → image"]
        np.testing.assert_array_equal(line.get_ydata(), curve["accuracy"])
    drawn(figure)


def test_curves_of_the_paper_are_in_the_papers_panel(metrics):
    figure = draw_accuracy_curves(metrics, reference=PAPER)
    paper, grouped = figure.axes
    np.testing.assert_array_equal(lines(paper)["paper: summaries"].get_ydata(), [0, 0.9, 1])
    assert "paper: summaries" in legend(figure)
    assert "paper: summaries" not in lines(grouped)


def test_real_curves_of_the_paper(metrics, run_folder, shared):
    curves = read_paper_curves(shared / "data/paper")
    entries = legend(draw_accuracy_curves(metrics, reference=curves))
    assert entries[-4:] == [
        "paper: summaries",
        "paper: raw abstracts",
        "paper: from scratch",
        "paper: base CLIP",
    ]
    entries = legend(draw_training_curves({"tuned": run_folder}, reference=curves))
    assert "paper: raw abstracts (best 73 %)" in entries


# Similarities


def test_histograms_are_shares_of_the_pairs(metrics):
    figure = draw_similarities(metrics)
    (axes,) = figure.axes
    histogram = metrics["cosine_histogram"]
    shuffled, true = (patch.get_data() for patch in axes.patches)
    for data, kind in ((shuffled, "shuffled"), (true, "true")):
        counts = np.array(histogram[kind])
        np.testing.assert_allclose(data.values, counts / counts.sum())
        np.testing.assert_array_equal(data.edges, np.linspace(-1, 1, 40))
    moments = metrics["cosine"]["true"]
    assert legend(axes)[0] == f"true pairs: {moments['mean']:.3f} ± {moments['std']:.3f}"
    assert axes.get_xlim() == (-1, 1)
    assert axes.get_ylabel() == "Pairs in a bin [%]"
    drawn(figure)


def test_similarities_of_several_models(make_metrics):
    several = {f"model {n}": make_metrics(n) for n in (1.0, 2.0, 3.0, 4.0)}
    figure = draw_similarities(several)
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title(loc="left") for axes in panels] == list(several)
    drawn(figure)


def test_one_caption_has_no_shuffled_pairs(make_metrics):
    (axes,) = draw_similarities(make_metrics(images=1)).axes
    assert len(legend(axes)) == 1
    assert legend(axes)[0].startswith("true pairs: ")


# Relevance


def bars(axes):
    """Return the lengths of the bars by their label."""
    return {one.get_label(): [bar.get_width() for bar in one] for one in axes.containers}


def test_relevance_bars(metrics):
    relevance = metrics["relevance"]
    figure = draw_relevance(metrics)
    for axes, kind in zip(figure.axes, ("images", "proposals"), strict=True):
        for label, name in (("an-encoder", "model"), ("chance", "chance")):
            values = relevance[name]
            expected = [values[kind], *(values["by_query"][q][kind] for q in relevance["queries"])]
            assert bars(axes)[label] == expected
        assert axes.get_xlabel() == "Relevant in the best 10 [%]"
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["mean of 2", "spiral galaxy", "comet"]
    # The mean is at the top.
    assert figure.axes[0].get_ylim() == (2.5, -0.5)
    assert legend(figure)[0] == "an-encoder"
    assert legend(figure)[-2:] == ["chance", "best possible"]
    drawn(figure)


def test_relevance_says_where_nothing_is_relevant(make_metrics):
    figure = draw_relevance(make_metrics(queries=["comet", "quasar"]))
    for axes in figure.axes:
        (text,) = axes.texts
        assert (text.get_text(), text.get_position()[1]) == ("nothing relevant", 2)


def test_relevance_without_baselines_and_of_several(make_metrics):
    one, other = make_metrics(1.0), make_metrics(2.0)
    for kind in ("chance", "ceiling"):
        del one["relevance"][kind]
    one["relevance"]["tfidf"] = {"skipped": "scikit-learn is not installed"}
    figure = draw_relevance({"one": one, "other": other})
    assert legend(figure) == ["one", "other"]
    drawn(figure)


def test_many_queries(make_metrics):
    queries = [f"query $ {number}" for number in range(60)]
    figure = draw_relevance(make_metrics(queries=queries))
    assert len(figure.axes[0].get_yticklabels()) == 25
    assert figure.axes[0].get_yticklabels()[0].get_text() == "mean of 60"
    drawn(figure)


def test_no_query(metrics):
    with pytest.raises(ValueError, match="No query"):
        draw_relevance(metrics | {"relevance": {"queries": [], "model": {}}})


def test_other_queries(metrics, make_metrics):
    with pytest.raises(ValueError, match="one, other were not asked the same"):
        draw_relevance({"one": metrics, "other": make_metrics(queries=["comet"])})


# Training


def test_training_curves_are_those_of_the_logs(run_folder):
    figure = draw_training_curves({"tuned": run_folder})
    loss, accuracy = figure.axes
    assert lines(loss)["tuned"].get_xydata().tolist() == [[3200, 4.1], [6400, 3.9], [9600, 3.8]]
    assert lines(accuracy)["tuned"].get_xydata().tolist() == [
        [3200, 0.2],
        [6400, 0.35],
        [9600, 0.4],
    ]
    assert (loss.get_ylabel(), loss.get_xlabel()) == ("Loss [nat]", "Images seen")
    assert accuracy.get_ylabel() == "Right image in the best tenth of a batch [%]"
    assert legend(figure) == ["tuned", "training loss (pale)", "chance (10 %)"]
    drawn(figure)
    assert "40" in [text.get_text() for text in accuracy.get_yticklabels()]


def test_training_loss_is_thinned_without_bias(run_folder):
    loss = draw_training_curves({"tuned": run_folder}).axes[0]
    (pale,) = [line for line in loss.lines if line.get_alpha()]
    assert len(pale.get_xdata()) == 120
    # The log falls in a straight line, and so do means of its parts.
    np.testing.assert_allclose(pale.get_ydata(), 4 - pale.get_xdata() / 32 / 200, atol=1e-9)


def test_against_steps_with_the_paper(run_folder):
    figure = draw_training_curves({"tuned": run_folder}, against="step", reference=PAPER)
    accuracy = figure.axes[1]
    assert lines(accuracy)["tuned"].get_xdata().tolist() == [100, 200, 300]
    label = "paper: summaries (best 70 %)"
    assert lines(accuracy)[label].get_xdata().tolist() == [0, 200, 20_000]
    assert label in legend(figure)
    # The paper's run is longer: it does not squeeze those that are looked at.
    assert accuracy.get_xlim()[1] == pytest.approx(306)
    assert figure.axes[0].get_xlabel() == "Steps"


def test_several_runs(run_folder):
    bare = {"step": np.array([1.0]), "images_seen": np.array([20_000.0]), "loss": np.array([4.0])}
    figure = draw_training_curves({"tuned": run_folder, "new": RunLogs(bare, {})})
    assert legend(figure)[:2] == ["tuned", "new"]
    assert figure.axes[0].get_xlim()[1] == pytest.approx(20_400)
    drawn(figure)


def test_nothing_to_draw(run_folder):
    with pytest.raises(ValueError, match="no training run"):
        draw_training_curves({})
    with pytest.raises(ValueError, match="'epochs'"):
        draw_training_curves({"tuned": run_folder}, against="epochs")


# Galleries


def test_gallery(metrics):
    answers = metrics["answers"]
    figure = draw_gallery(answers, per_query=3)
    assert [text.get_text() for text in figure.texts] == ["spiral galaxy", "comet"]
    assert len(figure.axes) == 6
    first = answers["spiral galaxy"][0]
    assert figure.axes[0].get_xlabel().startswith(f"{first['score']:.2f}  ")
    words = figure.axes[0].get_xlabel().split()[1:]
    assert first["caption"].startswith(" ".join(words).removesuffix(" …"))
    drawn(figure)
    shown = np.asarray(figure.axes[0].images[0].get_array())
    with Image.open(first["image"]) as picture:
        assert tuple(shown[160, 160]) == picture.getpixel((5, 5))


def test_gallery_without_a_picture():
    answers = {"_": [{"image": "gone.png", "caption": r"$\frac", "score": 0.5}], "none": []}
    figure = draw_gallery(answers)
    assert len(figure.axes) == 1
    drawn(figure)
    with pytest.raises(ValueError, match="no image to show"):
        draw_gallery({"none": []})


# All


def test_figures_do_not_touch_the_state_of_pyplot(metrics, run_folder):
    from matplotlib import pyplot, rcParams

    before = dict(rcParams)
    draw_accuracy_curves(metrics), draw_similarities(metrics), draw_relevance(metrics)
    draw_training_curves({"tuned": run_folder}), draw_gallery(metrics["answers"])
    assert pyplot.get_fignums() == []
    assert dict(rcParams) == before


def test_long_labels_fit(make_metrics):
    """A legend is no wider than its figure, and no label is lost."""
    names = [f"/archive/encoders/of/{number}/{'deep/' * 20}final{number}" for number in range(6)]
    figure = draw_accuracy_curves({name: make_metrics(n + 1.0) for n, name in enumerate(names)})
    drawn(figure)
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1
    assert len(set(legend(figure))) == 6 + 2 + 2
