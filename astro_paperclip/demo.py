"""Everything once, offline: build a collection from a simulated archive, and ask."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from astro_paperclip import encoders
from astro_paperclip.building import build
from astro_paperclip.core import PaperclipMastClass
from astro_paperclip.evaluation import evaluate, format_report
from astro_paperclip.logger import log
from astro_paperclip.notebook import save_gallery
from astro_paperclip.results import PaperclipResult
from astro_paperclip.simulation import serve, write_archive
from astro_paperclip.simulation.observations import FIRST_PROPOSAL
from astro_paperclip.training.record import VALIDATION_FILE

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
_ROWS = 6
_WIDTH = 110  # characters of a printed line
_GALLERY = "gallery.png"


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
    """Simulate an archive, build a collection from it, and search that.

    Parameters
    ----------
    output : str or path
        Directory of the collection; a demo that was interrupted goes on there.
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
    say(f"1. Simulating an archive of {proposals} proposals (none of this is real data)")
    with tempfile.TemporaryDirectory() as folder:
        write_archive(folder, proposals=proposals, progress=progress)
        with serve(folder) as server:
            say(f"2. Building a collection from it, as from MAST: it is served at {server.url}")
            report = build(
                output,
                mast=server.url,
                proposal_id=range(FIRST_PROPOSAL, FIRST_PROPOSAL + proposals),
                validation_fraction=_VALIDATION_FRACTION,
                progress=progress,
            )
    say(report.summary())

    say("\n3. Asking")
    results = _ask(output, say)
    footer = 'Simulated observations: python -m pip install ".[all]" && astro-paperclip demo'
    gallery = save_gallery(results, output / _GALLERY, per_query=_ROWS, footer=footer)

    say("\n4. Retrieval accuracy on the proposals that were not trained on, in per cent")
    metrics = _evaluate(output, say)
    accuracy = metrics["protocols"]["grouped"]["image_to_text"]["top_percent"]["10"]
    say(
        f"\nHeld-out top-10% accuracy: {100 * accuracy:.0f} % (chance: 10 %).\n"
        f"The gallery is in {gallery}. Go on with your own questions:\n"
        f"  astro-paperclip query {output} 'comet with two tails'"
    )
    return DemoReport(output, gallery, results, metrics)


def _ask(output: Path, say: Callable[[str], None]) -> dict[str, PaperclipResult]:
    results = {}
    with PaperclipMastClass(collection=output) as paperclip:
        for question in QUESTIONS:
            result = paperclip.query_text(question, limit=_ROWS)
            lines = result.summary(_WIDTH).pformat(max_lines=-1, max_width=-1)
            say("\n".join(["", question, *lines]))
            results[question] = result
    return results


def _evaluate(output: Path, say: Callable[[str], None]) -> dict:
    encoder = output / "encoder"
    metrics = evaluate([encoder / VALIDATION_FILE], encoders.load(encoder), output / "evaluation")
    say(format_report(metrics))
    return metrics
