"""The store in a directory, by Qdrant Edge, which runs inside the process."""

from astro_paperclip.index.embedded.store import EmbeddedStore

__all__ = ["EmbeddedStore"]
