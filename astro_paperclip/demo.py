"""Everything once, offline: simulate, train, evaluate, index, ask."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from astro_paperclip import encoders
from astro_paperclip.building import index_pairs
from astro_paperclip.core import PaperclipMastClass
from astro_paperclip.evaluation import evaluate, format_report
from astro_paperclip.logger import log
from astro_paperclip.notebook import save_gallery
from astro_paperclip.results import PaperclipResult
from astro_paperclip.simulation import write_archive
from astro_paperclip.training import HeadRecipe, train
from astro_paperclip.training.train import VALIDATION_FILE

__all__ = ["QUESTIONS", "DemoReport", "run_demo"]

#: What the demo looks for.
QUESTIONS = (
    "edge-on protoplanetary disk with jets",
    "tidal tails of colliding galaxies",
    "strong gravitational lensing arcs in a galaxy cluster",
    "ancient star cluster with a dense core",
    "grand-design spiral galaxy",
)

_PROPOSALS = 120
_VALIDATION_FRACTION = 0.2
_VIEWS = 8
_ROWS = 6
_WIDTH = 110  # characters of a printed line
_GALLERY = "gallery.png"
_MADE_BY_INDEXING = ("collection.toml", "index")


@dataclass(frozen=True)
class DemoReport:
    """What the demo made.

    Parameters
    ----------
    collection : `~pathlib.Path`
        The simulated collection, ready for further queries.
    gallery : `~pathlib.Path`
        The picture of the answers.
    results : dict
        The `~astro_paperclip.PaperclipResult` of every question.
    metrics : dict
        Retrieval accuracy on proposals that were not trained on.
    """

    collection: Path
    gallery: Path
    results: dict[str, PaperclipResult]
    metrics: dict


def run_demo(
    output: str | Path,
    *,
    say: Callable[[str], None] = log.info,
    proposals: int = _PROPOSALS,
    progress: bool = True,
) -> DemoReport:
    """Build a simulated archive, train on it, index it and search it.

    Parameters
    ----------
    output : str or path
        Directory of the collection; an earlier demo there is made anew.
    say : callable
        Takes each line of the story.
    proposals : int
        Number of simulated proposals.
    progress : bool
        Whether to show progress bars.

    Returns
    -------
    report : DemoReport
        What was made.

    Raises
    ------
    CollectionError
        If the directory holds something else.
    """
    output = Path(output).expanduser()
    say(f"1. Simulating {proposals} proposals and their observations (none of this is real data)")
    pairs = write_archive(output, proposals=proposals, progress=progress)
    for name in _MADE_BY_INDEXING:
        _remove(output / name)

    say("2. Training the projections of 'compact' on four fifths of the proposals")
    recipe = HeadRecipe(views=_VIEWS, validation_fraction=_VALIDATION_FRACTION)
    encoder = output / "encoder"
    say(train(pairs, "compact", encoder, recipe=recipe, progress=progress).summary())

    say("3. Indexing all previews")
    say(index_pairs(output, pairs, str(encoder), progress=progress).summary())

    say("4. Asking")
    results = _ask(output, say)
    footer = 'Simulated observations: python -m pip install ".[all]" && astro-paperclip demo'
    gallery = save_gallery(results, output / _GALLERY, per_query=_ROWS, footer=footer)

    say("\n5. Retrieval accuracy on the proposals that were not trained on, in per cent")
    metrics = _evaluate(encoder, output, say)
    accuracy = metrics["protocols"]["grouped"]["image_to_text"]["top_percent"]["10"]
    say(
        f"\nHeld-out top-10% accuracy: {100 * accuracy:.0f} % (chance: 10 %).\n"
        f"The gallery is in {gallery}. Go on with your own questions:\n"
        f"  astro-paperclip query {output} 'comet with two tails'"
    )
    return DemoReport(output, gallery, results, metrics)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _ask(output: Path, say: Callable[[str], None]) -> dict[str, PaperclipResult]:
    results = {}
    with PaperclipMastClass(collection=output) as paperclip:
        for question in QUESTIONS:
            result = paperclip.query_text(question, limit=_ROWS)
            lines = result.summary(_WIDTH).pformat(max_lines=-1, max_width=-1)
            say("\n".join(["", question, *lines]))
            results[question] = result
    return results


def _evaluate(encoder: Path, output: Path, say: Callable[[str], None]) -> dict:
    metrics = evaluate([encoder / VALIDATION_FILE], encoders.load(encoder), output / "evaluation")
    say(format_report(metrics))
    return metrics
