"""MAST's TAP service for CAOM, simulated: ADQL in, VOTable out, at once or as a job."""

from astro_paperclip.simulation.server.tap.service import TapService

__all__ = ["TapService"]
