"""Tables to other programs on the desk: TOPCAT, Aladin, DS9, by SAMP."""

from typing import TYPE_CHECKING, Any

from astro_paperclip.exceptions import InvalidQueryError, SampError

if TYPE_CHECKING:
    from astropy.io.votable.tree import VOTableFile

__all__ = ["broadcast_table"]

_MTYPE = "table.load.votable"
_TIMEOUT = "30"
"""Time [s] that a program has to read a table; text, as SAMP has it."""


def broadcast_table(
    votable: "VOTableFile", *, name: str = "astro_paperclip", client_name: str | None = None
) -> None:
    """Send a table to programs that listen.

    Parameters
    ----------
    votable : `~astropy.io.votable.tree.VOTableFile`
        The table.
    name : str
        What the table is called there.
    client_name : str, optional
        Name of the one program that gets it, ``"topcat"`` for instance. Default: all that read
        tables.

    Raises
    ------
    SampError
        If no hub is running, no program there reads tables, or one could not read this one.
    InvalidQueryError
        If there is no program of this name.
    """
    from pyvo import samp

    hub_error, proxy_error = _errors()
    try:
        connection = samp.connection("astro_paperclip", "Hubble observations, ranked")
        with connection as client:
            receivers = _receivers(client, client_name)
            with samp.accessible_table(votable) as url:
                message = {"samp.mtype": _MTYPE, "samp.params": {"url": url, "name": name}}
                for receiver, title in receivers.items():
                    # The file is gone afterwards, so that each must have read it.
                    reply = client.call_and_wait(receiver, message, _TIMEOUT)
                    _check(reply, title)
    except hub_error as error:
        raise SampError(
            "No SAMP hub is running. TOPCAT and Aladin, for instance, start one: open it and send "
            "the table again."
        ) from error
    except proxy_error as error:
        raise SampError(f"The SAMP hub could not hand the table on: {error}") from error


def _errors() -> tuple[type[Exception], type[Exception]]:
    try:
        from pyvo.samp import SAMPHubError, SAMPProxyError
    except ImportError:  # SAMP was astropy's before pyvo 1.9
        from astropy.samp import SAMPHubError, SAMPProxyError
    return SAMPHubError, SAMPProxyError


def _receivers(client: Any, client_name: str | None) -> dict[str, str]:
    """Return the programs that get the table: their names by their keys at the hub."""
    listening = {
        key: client.get_metadata(key).get("samp.name", key)
        for key in client.get_subscribed_clients(_MTYPE)
    }
    if not listening:
        raise SampError(
            "No program at the SAMP hub reads tables: open TOPCAT or Aladin, for instance, and "
            "send the table again."
        )
    if client_name is None:
        return listening
    named = {key: name for key, name in listening.items() if name.lower() == client_name.lower()}
    if not named:
        raise InvalidQueryError(
            f"No program named {client_name!r} reads tables at the SAMP hub, only "
            f"{', '.join(sorted(listening.values()))}."
        )
    return named


def _check(reply: dict, title: str) -> None:
    if reply.get("samp.status") == "samp.error":
        reason = reply.get("samp.error", {}).get("samp.errortxt", "it does not say why")
        raise SampError(f"{title} could not read the table: {reason}")
