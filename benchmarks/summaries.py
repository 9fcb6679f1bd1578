"""Summaries by rules: coverage, commonest concepts, speed, lengths, and what they look like.

    python benchmarks/summaries.py
    python benchmarks/summaries.py --vocabulary ../shared/data/uat/UAT_list.json
    python benchmarks/summaries.py --examples 20 --seed 7

Summarizes the abstracts of all programmes in ``jwst_proposals/programmes.jsonl``, in the folder
that the environment variable ``PAPERCLIP_SHARED`` names (default ``../shared``).
"""

import argparse
import json
import os
import platform
import random
import time
from collections import Counter
from pathlib import Path

import numpy as np
import open_clip

from astro_paperclip import encoders
from astro_paperclip.pairs.summarize import RuleSummarizer, Summary
from astro_paperclip.vocabulary import Vocabulary

LONGEST = 77
"""Tokens that CLIP reads, the two marks among them."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--vocabulary", metavar="FILE")
    parser.add_argument("--examples", metavar="N", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    rows = programmes()
    summarize = RuleSummarizer(Vocabulary.read(args.vocabulary) if args.vocabulary else None)
    abstracts = [row["abstract"] for row in rows]
    summarize(abstracts[:50])
    start = time.process_time()
    summaries = summarize(abstracts)
    seconds = time.process_time() - start
    found = [summary for summary in summaries if summary is not None]

    print(f"{platform.processor() or platform.machine()}, one thread; {summarize.name}")
    print(f"coverage: {len(found)} of {len(rows)} abstracts, {len(found) / len(rows):.1%}")
    print(f"speed: {len(rows) / seconds:.0f} abstracts/s of processor time")
    print_lengths(found)
    print_commonest(found)
    print_examples(rows, summaries, args.examples, args.seed)


def programmes() -> list[dict]:
    shared = Path(os.environ.get("PAPERCLIP_SHARED", "../shared"))
    path = shared / "data/jwst_proposals/programmes.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def print_lengths(found: list[Summary]) -> None:
    captions = [summary.as_caption() for summary in found]
    clip, compact = open_clip.get_tokenizer("ViT-B-16"), encoders.load("compact", device="cpu")
    counters = {
        "CLIP": lambda caption: len(clip.encode(caption)) + 2,
        "compact": compact.count_tokens,
    }
    for name, count in counters.items():
        sizes = np.array([count(caption) for caption in captions])
        print(
            f"tokens ({name}): median {np.median(sizes):.0f}, largest {sizes.max()}, "
            f"more than {LONGEST}: {np.count_nonzero(sizes > LONGEST)}"
        )


def print_commonest(found: list[Summary]) -> None:
    counts = Counter(name for summary in found for name in summary.objects_and_phenomena)
    print("commonest:", ", ".join(f"{name} {n}" for name, n in counts.most_common(20)))
    print(f"different concepts: {len(counts)}")


def print_examples(rows: list[dict], summaries: list, number: int, seed: int) -> None:
    for place in random.Random(seed).sample(range(len(rows)), number):
        summary = summaries[place]
        print(f"\n{rows[place]['proposal_id']}  {' '.join(rows[place]['title'].split())}")
        print(f"      {summary.as_caption() if summary else '(none)'}")


if __name__ == "__main__":
    main()
