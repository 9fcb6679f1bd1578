"""Metrics as a table for the terminal."""

from astro_paperclip.evaluation.accuracy import PERCENTS

__all__ = ["format_report"]

_DIRECTIONS = {"image_to_text": "image to text", "text_to_image": "text to image"}
_SEARCHES = {
    "model": "the encoder",
    "tfidf": "words in captions (TF-IDF)",
    "chance": "chance",
    "ceiling": "best possible",
}


def format_report(metrics: dict) -> str:
    """Format metrics as text.

    Parameters
    ----------
    metrics : dict
        What `~astro_paperclip.evaluation.evaluate` or
        `~astro_paperclip.evaluation.retrieval_metrics` returns.

    Returns
    -------
    str
        Several lines of at most 79 characters: percentages of right answers among the best
        1 ... 50 % of the candidates, with their 95 % interval at 10 %, the largest
        percentages that a model could reach where they are not 100, and what chance gives;
        retrieval inside batches; cosine similarities; and relevance, where it was judged.
    """
    counts = [f"{metrics['n_images']} images", f"{metrics['n_captions']} different captions"]
    lines = [", ".join([*counts, f"{metrics['n_groups']} groups"])]
    if encoder := metrics.get("encoder"):
        lines.append(f"encoder {encoder['name']} ({encoder['fingerprint'][:12]})")
    if skipped := metrics.get("skipped"):
        lines.append(f"images left out because they cannot be read: {len(skipped)}")
    percents = "".join(f"{f'{percent} %':>7}" for percent in PERCENTS)
    lines += ["", f"{'right among the best':24}{percents}  median rank"]
    for protocol, directions in metrics["protocols"].items():
        for direction, label in _DIRECTIONS.items():
            lines += _rows(f"{protocol}, {label}", directions[direction])
    lines.append(_row("chance, about", {str(percent): percent / 100 for percent in PERCENTS}))
    grouped = metrics["protocols"]["grouped"]
    ranges = [
        f"{label} {_percent(grouped[direction]['interval95']['10'][0])}"
        f"-{_percent(grouped[direction]['interval95']['10'][1])} %"
        for direction, label in _DIRECTIONS.items()
    ]
    lines += ["", "95 % intervals of grouped among the best 10 %:", f"  {', '.join(ranges)}"]
    lines += [_batch_line(metrics["in_batch"]), _cosine_line(metrics["cosine"])]
    if relevance := metrics.get("relevance"):
        lines += ["", *_relevance_lines(relevance)]
    return "\n".join(lines)


def _rows(label: str, measures: dict) -> list[str]:
    median = f"{measures['median_rank']:g} of {measures['candidates']}"
    rows = [f"{_row(label, measures['top_percent'])}  {median}"]
    ceiling = measures["ceiling"]["top_percent"]
    if min(ceiling.values()) < 1:
        rows.append(_row("  at most", ceiling))
        if by_position := measures.get("ties_by_position"):
            rows.append(_row("  ties by position", by_position["top_percent"]))
            rows.append(_row("    at most", by_position["ceiling"]["top_percent"]))
    return rows


def _row(label: str, fractions: dict) -> str:
    return f"{label:24}" + "".join(f"{_percent(fractions[str(p)]):>7}" for p in PERCENTS)


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f}"


def _batch_line(in_batch: dict) -> str:
    found = _percent(in_batch["text_to_image"]["top_percent"]["10"])
    return (
        f"in batches of {in_batch['batch_size']}, text to image: {found} % among the best 10 %, "
        f"loss {in_batch['loss']:.3f}"
    )


def _relevance_lines(relevance: dict) -> list[str]:
    count, k, judge = len(relevance["queries"]), relevance["k"], relevance["judge"]
    lines = [
        f"relevant answers to {count} queries, judged by {judge:.30}:",
        f"{f'  in the best {k}, %':30}{'images':>8}{'proposals':>11}",
    ]
    for kind, label in _SEARCHES.items():
        values = relevance.get(kind)
        if values and "skipped" in values:
            lines.append(f"{f'  {label}':30}  {values['skipped']}")
        elif values:
            images, proposals = (_percent(values[name]) for name in ("images", "proposals"))
            lines.append(f"{f'  {label}':30}{images:>8}{proposals:>11}")
    return lines


def _cosine_line(cosine: dict) -> str:
    parts = [
        f"{kind} {values['mean']:.3f} +- {values['std']:.3f}"
        for kind, values in cosine.items()
        if values["mean"] is not None
    ]
    return f"cosine similarity of pairs: {', '.join(parts)}"
