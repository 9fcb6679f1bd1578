"""What a service of the simulated archive answers, before it becomes HTTP."""

import json
from dataclasses import dataclass, field

__all__ = ["Reply"]


@dataclass(frozen=True)
class Reply:
    """A whole answer to one request.

    Parameters
    ----------
    status : int
        Status of HTTP.
    body : bytes
        Everything that follows the headers; their ``Content-Length`` is counted from it.
    content_type : str
        Media type, with the character set where there is one.
    headers : dict of str
        Further headers, ``Location`` for instance.
    """

    status: int
    body: bytes = b""
    content_type: str = "text/plain;charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def text(cls, text: str, status: int = 200) -> "Reply":
        """Answer in plain words.

        Parameters
        ----------
        text : str
            The words.
        status : int
            Status of HTTP.

        Returns
        -------
        `Reply`
        """
        return cls(status, text.encode())

    @classmethod
    def json(cls, value) -> "Reply":
        """Answer with a JSON document.

        Parameters
        ----------
        value : object
            What `json.dumps` takes; no NaN.

        Returns
        -------
        `Reply`
        """
        body = json.dumps(value, allow_nan=False).encode()
        return cls(200, body, "application/json;charset=utf-8")
