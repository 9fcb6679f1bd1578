"""Metrics as a table for the terminal."""

from astro_paperclip.evaluation.retrieval import PERCENTS

__all__ = ["format_report"]

_DIRECTIONS = {"image_to_text": "image to text", "text_to_image": "text to image"}


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
        percentages that a model could reach where they are not 100, and what chance gives.
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
    lines.append(_cosine_line(metrics["cosine"]))
    return "\n".join(lines)


def _rows(label: str, measures: dict) -> list[str]:
    median = f"{measures['median_rank']:g} of {measures['candidates']}"
    rows = [f"{_row(label, measures['top_percent'])}  {median}"]
    ceiling = measures["ceiling"]["top_percent"]
    if min(ceiling.values()) < 1:
        rows.append(_row("  at most", ceiling))
    return rows


def _row(label: str, fractions: dict) -> str:
    return f"{label:24}" + "".join(f"{_percent(fractions[str(p)]):>7}" for p in PERCENTS)


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f}"


def _cosine_line(cosine: dict) -> str:
    parts = [
        f"{kind} {values['mean']:.3f} +- {values['std']:.3f}"
        for kind, values in cosine.items()
        if values["mean"] is not None
    ]
    return f"cosine similarity of pairs: {', '.join(parts)}"
