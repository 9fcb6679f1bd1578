"""Observations: one question, two routes to MAST, one kind of table."""

from astro_paperclip.archive.observations.query import query_observations

__all__ = ["query_observations"]
