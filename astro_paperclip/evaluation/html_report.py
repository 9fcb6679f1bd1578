"""An evaluation as one HTML file: figures, tables, galleries, and what they mean."""

import os
import platform
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from astro_paperclip.evaluation import html_page as html
from astro_paperclip.evaluation.accuracy import PERCENTS
from astro_paperclip.evaluation.records import PaperCurves, read_paper_curves, read_run
from astro_paperclip.files import written_whole

__all__ = ["REPORT_FILE", "write_report"]

REPORT_FILE = "report.html"
"""Name of the report that the command line writes."""

_DIRECTIONS = {"image_to_text": "image → text", "text_to_image": "text → image"}
_VERSIONS = ("astro_paperclip", "matplotlib", "numpy", "open_clip_torch", "scikit-learn", "torch")

# What bounds the size of the file: a picture takes some 8 kB.
_QUERIES, _PER_QUERY = 24, 6
_SKIPPED = 20

_TIES = "ties as in the paper"

_PROTOCOLS = {
    "grouped": (
        "Grouped protocol",
        "Each different caption counts once, and every image that has it is right. From image to "
        "text, an image looks for its caption among the different captions; from text to image, "
        "a caption looks for any of its images among all images.",
    ),
    "paper": (
        "Paper's protocol",
        "That of arXiv:2403.08851: every row of the pairs is a candidate, and only the query's "
        "own row is right. Images of one proposal share a caption, so some of what counts as "
        "wrong is not. Rows that share a caption always score equally as answers to an image: "
        "ties count against the encoder, but in the rows “ties as in the paper”, which decide "
        "them by position as the paper's code does. Compare those with the paper's figure 3.",
    ),
}


def write_report(
    path: str | os.PathLike,
    metrics: Mapping,
    *,
    runs: Mapping[str, str | os.PathLike] | None = None,
    reference: PaperCurves | str | os.PathLike | None = None,
) -> Path:
    """Write an evaluation as one HTML file that needs nothing beside it; needs matplotlib.

    Parameters
    ----------
    path : str or `os.PathLike`
        The file to write.
    metrics : dict
        What `~astro_paperclip.evaluation.evaluate` returns; or several of these by label, of
        which the first is reported on and the others are compared with it.
    runs : dict, optional
        By label, folders of encoders with the logs of their training.
    reference : PaperCurves, str or `os.PathLike`, optional
        Curves of the paper, or the folder that `~astro_paperclip.evaluation.read_paper_curves`
        takes.

    Returns
    -------
    `~pathlib.Path`
        The file. Beside figures and tables it has pictures of what queries found, made small;
        between 1 and 3 MB.

    Raises
    ------
    InvalidQueryError
        If a folder holds no logs or curves; nothing is written.
    """
    # Here, as this is a part of the room that needs no matplotlib.
    from astro_paperclip.evaluation.figures.style import by_label, with_short_labels

    path = Path(path)
    models = by_label(metrics)
    logs = with_short_labels({label: read_run(run) for label, run in (runs or {}).items()})
    if reference is not None and not isinstance(reference, PaperCurves):
        reference = read_paper_curves(reference)
    first = next(iter(models.values()))
    title = f"Evaluation of {first.get('encoder', {}).get('name', 'an encoder')}"
    parts = [
        *_introduction(title, models),
        *_retrieval(models, reference),
        *_batches(models, logs, reference),
        *_similarities(models),
        *_relevance(models),
        *_answers(first),
        *_provenance(models),
    ]
    with written_whole(path) as temporary:
        temporary.write_text(html.page(title, parts), encoding="utf-8")
    return path


def _introduction(title: str, models: Mapping[str, Mapping]) -> Iterator[str]:
    first = next(iter(models.values()))
    yield html.heading(title, 1)
    counts = f"{first['n_images']:,} images, {first['n_captions']:,} different captions"
    yield html.paragraph(
        f"{counts}, {first['n_groups']:,} groups. astro_paperclip {_version('astro_paperclip')}, "
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC.",
        "soft",
    )
    found = []
    for direction, name in _DIRECTIONS.items():
        measures = first["protocols"]["grouped"][direction]
        low, high = measures["interval95"]["10"]
        found.append(
            (
                f"{_percent(measures['top_percent']['10'])} %",
                f"{name}: right answer among the best 10 % of {measures['candidates']:,}, grouped "
                f"({_percent(low)} to {_percent(high)} %; chance 10 %)",
            )
        )
    if relevance := first.get("relevance"):
        beside = "chance" in relevance
        found.append(
            (
                f"{_percent(relevance['model']['images'])} %",
                f"of the best {relevance['k']} images relevant to a query"
                + (f" (chance {_percent(relevance['chance']['images'])} %)" if beside else ""),
            )
        )
    yield html.cards(found)
    sizes = {(one["n_images"], one["n_captions"], one["n_groups"]) for one in models.values()}
    if len(sizes) > 1:
        yield html.paragraph(
            "The evaluations compared here are of different pairs: their figures can be compared "
            "with chance, and not with one another.",
            "warning",
        )


def _retrieval(models: Mapping[str, Mapping], reference: PaperCurves | None) -> Iterator[str]:
    from astro_paperclip.evaluation.figures import draw_accuracy_curves

    yield html.heading("Retrieval accuracy")
    yield html.paragraph(
        "How often is the right answer among the best of the candidates? Chance is the length of "
        "the list: 10 % for the best 10 %."
    )
    yield _figure(
        draw_accuracy_curves(models, reference=reference),
        "Accuracy against the length of the list of answers in both protocols.",
        "Share of queries whose list of answers holds the right one, against the length of the "
        "list. Left, from image to text, ties are decided as the paper decides them. Dotted: the "
        "most that any encoder could reach, where captions repeat."
        + (" Dashed grey: figure 3 of arXiv:2403.08851." if reference else ""),
    )
    percents = [f"{p}\N{NO-BREAK SPACE}%" for p in PERCENTS]
    header = ["Right among the best", *percents, "95 % interval at 10 %", "AUC", "Median rank"]
    for protocol, (name, explanation) in _PROTOCOLS.items():
        yield html.heading(name, 3)
        yield html.paragraph(explanation)
        yield html.table(header, _accuracy_rows(models, protocol))
    yield html.paragraph(
        "Intervals come from drawing whole groups anew, a thousand times. AUC is the mean accuracy "
        "over all lengths of the list (chance: 50 %). “At most” is what a perfect encoder would "
        "reach.",
        "soft",
    )


def _accuracy_rows(models: Mapping[str, Mapping], protocol: str) -> Iterator[tuple]:
    several = len(models) > 1
    for direction, name in _DIRECTIONS.items():
        for label, metrics in models.items():
            measures = metrics["protocols"][protocol][direction]
            title = f"{label}, {name}" if several else name
            low, high = (_percent(limit) for limit in measures["interval95"]["10"])
            yield "strong", [*_accuracy_cells(title, measures, f"{low} – {high}"), _rank(measures)]
            by_position = measures.get("ties_by_position")
            if by_position and by_position["top_percent"] != measures["top_percent"]:
                title = f"{label}, {_TIES}" if several else _TIES
                cells = _accuracy_cells(title, by_position)
                yield "", [*cells, f"{by_position['median_rank']:,g}"]
        ceiling = next(iter(models.values()))["protocols"][protocol][direction]["ceiling"]
        if min(ceiling["top_percent"].values()) < 1:
            yield "soft", [*_accuracy_cells("at most", ceiling), ""]


def _accuracy_cells(title: str, measures: Mapping, interval: str = "") -> list[str]:
    accuracies = (_percent(measures["top_percent"][str(percent)]) for percent in PERCENTS)
    return [title, *accuracies, interval, _percent(measures["auc"])]


def _rank(measures: Mapping) -> str:
    return f"{measures['median_rank']:,g} of {measures['candidates']:,}"


def _batches(
    models: Mapping[str, Mapping], logs: Mapping, reference: PaperCurves | None
) -> Iterator[str]:
    yield html.heading("Inside batches")
    yield html.paragraph(
        "The smaller question that training is watched by, as in figure 2 of arXiv:2403.08851: "
        "which of the images of a batch is that of a text? Only the text's own row is right. The "
        "loss of an encoder that knows nothing is the natural logarithm of the size of the batch."
    )
    rows = []
    for label, metrics in models.items():
        batch = metrics["in_batch"]
        cells = [label, f"{batch['batch_size']:,}", f"{batch['loss']:.3f}"]
        for direction in _DIRECTIONS:
            cells.append(_percent(batch[direction]["top_k"]["1"]))
            cells.append(_percent(batch[direction]["top_percent"]["10"]))
        rows.append(("", cells))
    names = [
        f"{name}, {kind}"
        for name in _DIRECTIONS.values()
        for kind in ("first", "best 10\N{NO-BREAK SPACE}%")
    ]
    yield html.table(["Encoder", "Pairs in a batch", "Loss", *names], rows)
    if not logs:
        return
    from astro_paperclip.evaluation.figures import draw_training_curves

    yield html.heading("Training", 3)
    yield _figure(
        draw_training_curves(logs, reference=reference),
        "Loss and accuracy of held-out pairs over training.",
        "Loss and accuracy of held-out pairs in batches of a hundred (all of them, where there are "
        "fewer) while the encoder was trained. Pale: the loss of the training batches, which may "
        "be of another size."
        + (" Dashed grey: figure 2 of arXiv:2403.08851, as far as runs go." if reference else ""),
    )


def _similarities(models: Mapping[str, Mapping]) -> Iterator[str]:
    from astro_paperclip.evaluation.figures import draw_similarities

    yield html.heading("Similarities of pairs")
    yield _figure(
        draw_similarities(models),
        "Histograms of the cosine similarities of true and shuffled pairs.",
        "Cosine similarity of images with their own captions (true) and with all different ones "
        "(shuffled); means and standard deviations. Only the distance between the two matters: "
        "encoders differ in where they put both.",
    )


def _relevance(models: Mapping[str, Mapping]) -> Iterator[str]:
    relevance = next(iter(models.values())).get("relevance")
    if not relevance:
        return
    from astro_paperclip.evaluation.figures import draw_relevance

    judged = {
        label: one
        for label, one in models.items()
        if _question(one.get("relevance")) == _question(relevance)
    }
    yield html.heading("Relevance of what queries find")
    yield html.paragraph(
        f"A caption that is not an image's own can still fit it. So {len(relevance['queries'])} "
        f"queries were asked, and a judge (“{relevance['judge']}”) said of the best "
        f"{relevance['k']} images of each whether they are relevant. Images of one proposal share "
        "its abstract, so the same is asked of the best proposals, each counted once."
    )
    if "tfidf" in relevance:
        yield html.paragraph(
            "The search for words in captions is hard to beat where the judge reads the captions "
            "too. It says what an image search has to earn, and needs captions, which an image "
            "search does not."
        )
    if reason := relevance.get("tfidf", {}).get("skipped"):
        yield html.paragraph(f"There is no search for words in captions: {reason}.", "warning")
    if others := [label for label in models if label not in judged]:
        yield html.paragraph(
            f"{', '.join(others)} was asked other queries, or by another judge, and is not "
            "compared here.",
            "warning",
        )
    yield _figure(
        draw_relevance(judged),
        "Bars of the share of relevant answers to each query.",
        "Share of relevant answers by query. Black marks: the best possible, where few captions "
        "are relevant.",
    )
    yield html.table(["Mean over the queries, %", "Images", "Proposals"], _relevance_rows(judged))


def _question(relevance: Mapping | None) -> tuple | None:
    """Return what must be the same for relevance to be compared."""
    if not relevance:
        return None
    return sorted(relevance["queries"]), relevance["k"], relevance["judge"]


def _relevance_rows(judged: Mapping[str, Mapping]) -> Iterator[tuple]:
    first = next(iter(judged.values()))["relevance"]
    for label, metrics in judged.items():
        yield "strong", [label, *_both(metrics["relevance"]["model"])]
    names = {"tfidf": "words in captions (TF-IDF)", "chance": "chance", "ceiling": "best possible"}
    for kind, name in names.items():
        if "images" in first.get(kind, {}):
            yield "" if kind == "tfidf" else "soft", [name, *_both(first[kind])]


def _both(values: Mapping) -> list[str]:
    return [_percent(values["images"]), _percent(values["proposals"])]


def _answers(metrics: Mapping) -> Iterator[str]:
    answers = metrics.get("answers")
    if not answers:
        return
    yield html.heading("What queries find")
    yield html.paragraph(
        "The best images of each query, with cosine similarity, caption and group. Scores of "
        "different queries cannot be compared."
    )
    if len(answers) > _QUERIES:
        yield html.paragraph(f"The first {_QUERIES} of {len(answers)} queries are shown.", "soft")
    for query, found in list(answers.items())[:_QUERIES]:
        yield html.heading(query, 3)
        yield html.picture_tiles(found[:_PER_QUERY])


def _provenance(models: Mapping[str, Mapping]) -> Iterator[str]:
    yield html.heading("Where this comes from")
    rows = []
    for label, metrics in models.items():
        encoder = metrics.get("encoder", {})
        rows += [
            ("strong", [label, encoder.get("name", "")]),
            ("", ["fingerprint", encoder.get("fingerprint", "")]),
            ("", ["pairs", ", ".join(metrics.get("pairs", [])) or "a table in memory"]),
            ("", ["images", f"{metrics['n_images']:,}"]),
        ]
    yield html.table(["Encoder", ""], rows, words=True)
    first = next(iter(models.values()))
    skipped = first.get("skipped", [])
    if skipped:
        yield html.heading("Images left out", 3)
        yield html.paragraph(
            f"{len(skipped):,} images cannot be read and do not count"
            + (f"; the first {_SKIPPED}:" if len(skipped) > _SKIPPED else ":")
        )
        reasons = [("", [one["image"], one["reason"]]) for one in skipped[:_SKIPPED]]
        yield html.table(["Image", "Reason"], reasons, words=True)
    versions = [("", ["Python", platform.python_version()])]
    versions += [("", [name, _version(name)]) for name in _VERSIONS]
    yield html.table(["Software", "Version"], versions, words=True)


def _figure(drawing, alternative: str, caption: str) -> str:
    """Embed a figure of matplotlib."""
    from astro_paperclip.evaluation.figures.style import png

    return html.figure(png(drawing), drawing.get_figwidth(), alternative, caption)


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f}"


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"
