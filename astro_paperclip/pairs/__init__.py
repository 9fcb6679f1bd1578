"""Image-caption pairs: make, read and write them, split them by group, fit captions to a model."""

from astro_paperclip.pairs.assembly import CAPTIONS, make_pairs
from astro_paperclip.pairs.shuffle import shuffle_captions
from astro_paperclip.pairs.sky import sky_groups
from astro_paperclip.pairs.splits import Split, split_by_group
from astro_paperclip.pairs.table import read_pairs, write_pairs

__all__ = [
    "CAPTIONS",
    "Split",
    "make_pairs",
    "read_pairs",
    "shuffle_captions",
    "sky_groups",
    "split_by_group",
    "write_pairs",
]
