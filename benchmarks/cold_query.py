"""Time from ``astro-paperclip query`` to the printed table, in a fresh process, and its parts.

    python benchmarks/cold_query.py COLLECTION [TEXT]

Each run starts a new process; the operating system's file cache is warm from the second on. The
parts are measured in processes of their own, one import after another.
"""

import argparse
import statistics
import subprocess
import sys
import time

PARTS = """
import sys, time
start = time.perf_counter()
def lap(name):
    global start
    now = time.perf_counter()
    print(f"{name}\\t{now - start}")
    start = now
from astro_paperclip.core import PaperclipMast
lap("import astro_paperclip.core")
import torch
lap("import torch")
import open_clip
lap("import open_clip")
import astro_paperclip.encoders
lap("import astro_paperclip.encoders")
paperclip = PaperclipMast(collection=sys.argv[1])
searched = paperclip._open(paperclip._location(None))
lap("open the index")
encoder = searched.encoder
lap("load the encoder")
encoder.encode_texts([sys.argv[2]])
lap("encode the text")
result = paperclip.query_text(sys.argv[2], limit=10)
lap("search, make the table")
"\\n".join(result.summary(100).pformat())
lap("print")
paperclip.query_text("another " + sys.argv[2], limit=10)
lap("(a second query)")
"""


def main() -> None:
    """Print the times, medians of several runs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("collection")
    parser.add_argument("text", nargs="?", default="spiral galaxy")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    command = [sys.executable, "-m", "astro_paperclip.cli.main", "query"]
    totals = []
    for _ in range(arguments.runs):
        begin = time.perf_counter()
        subprocess.run(
            [*command, arguments.collection, arguments.text], check=True, capture_output=True
        )
        totals.append(time.perf_counter() - begin)
    parts: dict[str, list[float]] = {}
    for _ in range(arguments.runs):
        done = subprocess.run(
            [sys.executable, "-c", PARTS, arguments.collection, arguments.text],
            check=True,
            capture_output=True,
            text=True,
        )
        for line in done.stdout.splitlines():
            name, _, seconds = line.partition("\t")
            parts.setdefault(name, []).append(float(seconds))
    print(
        f"astro-paperclip query, {arguments.runs} runs: median {statistics.median(totals):.2f} s, "
        f"shortest {min(totals):.2f} s, longest {max(totals):.2f} s"
    )
    for name, values in parts.items():
        print(f"  {name:34s} {statistics.median(values):6.3f} s")


if __name__ == "__main__":
    main()
