"""The store on a Qdrant server, which many can search, and several machines can fill."""

from astro_paperclip.index.server.store import ServerStore

__all__ = ["ServerStore"]
