"""Image-caption pairs: read and write them, split them by group, fit captions to a model."""

from astro_paperclip.pairs.splits import Split, split_by_group
from astro_paperclip.pairs.table import read_pairs, write_pairs

__all__ = [
    "Split",
    "read_pairs",
    "split_by_group",
    "write_pairs",
]
