"""Keep open_clip's chatter about weights that this package loads itself out of the way."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quiet_loading"]


@contextmanager
def quiet_loading() -> Iterator[None]:
    """Silence what open_clip logs in this thread inside the block.

    open_clip reports on the root logger, where a warning about "random weights" that are loaded
    a line later would alarm a user for nothing; what stops it, it raises as well. The records of
    other loggers and of other threads go where they always go.
    """
    thread = threading.get_ident()

    def from_elsewhere(record: logging.LogRecord) -> bool:
        return record.thread != thread

    # With no handler on the root logger, the first record would put one there for good.
    placeholder = logging.NullHandler()
    logging.root.addHandler(placeholder)
    logging.root.addFilter(from_elsewhere)
    try:
        yield
    finally:
        logging.root.removeFilter(from_elsewhere)
        logging.root.removeHandler(placeholder)
