"""Proposals: STScI's catalogue, and tables of any mission."""

from astro_paperclip.archive.proposals.read import read_proposals

__all__ = ["read_proposals"]
