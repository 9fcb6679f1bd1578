"""The ways in which a request fails, each with the status that a server gives it."""

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["ServerError", "bad_request", "engine_errors", "not_found", "not_served"]


class ServerError(Exception):
    """A request that is answered with an error.

    Parameters
    ----------
    status : int
        The HTTP status.
    message : str
        What is told.
    is_violation : bool, optional
        Whether the request broke the contract, in a way that the document does not describe.
    """

    def __init__(self, status: int, message: str, *, is_violation: bool = False):
        super().__init__(message)
        self.status = status
        self.is_violation = is_violation


def bad_request(message: str) -> ServerError:
    """Return the error of a request that no server could read."""
    return ServerError(400, f"Format error in JSON body: {message}", is_violation=True)


def not_found(what: str) -> ServerError:
    """Return the error of a request for something that is not there."""
    return ServerError(404, f"Not found: {what}")


def not_served(what: str) -> ServerError:
    """Return the error of what a server would do, and this one does not."""
    return ServerError(501, f"The loopback server does not serve {what}")


@contextmanager
def engine_errors() -> Iterator[None]:
    """Turn what the engine raises into the error that a server answers.

    The engine has one class for all errors, apart from those of values that it cannot read. Its
    panics are no `Exception` at all.
    """
    try:
        yield
    except (ServerError, KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError):
        raise
    except (ValueError, TypeError, OverflowError) as error:
        raise bad_request(str(error)) from error
    except Exception as error:
        if type(error) is not Exception:
            raise
        if str(error).startswith("No point with id"):
            raise not_found(f"{error} found") from error
        raise ServerError(400, f"Wrong input: {error}") from error
    except BaseException as error:
        raise ServerError(500, f"Service internal error: {error}") from error
