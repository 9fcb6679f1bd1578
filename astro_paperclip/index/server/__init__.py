"""The store on a Qdrant server, by its client."""
