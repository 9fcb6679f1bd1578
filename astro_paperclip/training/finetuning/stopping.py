"""Stop at the end of a step when a signal asks for it, as batch schedulers do."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["StopRequest", "stop_signals"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)

#: Exit status of a process that a signal ended: 128 and the signal's number.
_SIGNALLED = 128


class StopRequest:
    """Whether a signal came, and which."""

    def __init__(self) -> None:
        self.number: int | None = None

    def __bool__(self) -> bool:
        return self.number is not None

    def receive(self, number: int, _frame: FrameType | None) -> None:
        """Note a signal; a second one of a person in a hurry is obeyed at once."""
        if number == signal.SIGINT and self:
            raise KeyboardInterrupt
        self.number = number

    def leave(self) -> None:
        """End the run as the signal would have.

        Raises
        ------
        KeyboardInterrupt
            For SIGINT.
        SystemExit
            For SIGTERM, and where another process was told to stop: with status 143.
        """
        if self.number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(_SIGNALLED + signal.SIGTERM)


@contextmanager
def stop_signals() -> Iterator[StopRequest]:
    """Note SIGINT and SIGTERM instead of dying of them, until the end of the block.

    Yields
    ------
    request : StopRequest
        True once a signal came. Outside the main thread, where Python allows no handlers, none
        is noted.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    former = {number: signal.signal(number, request.receive) for number in _SIGNALS}
    try:
        yield request
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
