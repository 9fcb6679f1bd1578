"""The package's logger, which behaves as astropy's does."""

import logging

from astropy.logger import AstropyLogger

__all__ = ["log"]


def _init_log() -> AstropyLogger:
    """Make the logger ``astro_paperclip`` with astropy's class, level and format."""
    original_class = logging.getLoggerClass()
    logging.setLoggerClass(AstropyLogger)
    try:
        logger = logging.getLogger("astro_paperclip")
        logger._set_defaults()
    finally:
        logging.setLoggerClass(original_class)
    return logger


log = _init_log()
