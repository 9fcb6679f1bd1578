"""Keys of servers: from the environment or the keyring, and never shown."""

import os

__all__ = ["KEY_VARIABLE", "find_key", "without_key"]

KEY_VARIABLE = "ASTRO_PAPERCLIP_API_KEY"
"""The environment variable that holds the key of a server."""

_SERVICE = "astro_paperclip"


def find_key(host: str) -> str:
    """Return the key of a server.

    Parameters
    ----------
    host : str
        The server's name.

    Returns
    -------
    str
        The value of the environment variable ``ASTRO_PAPERCLIP_API_KEY``; or else what the
        keyring holds for the service ``astro_paperclip`` and the user ``host``, where there is
        a keyring; or else nothing. Keys of other programs, such as ``OPENAI_API_KEY``, are not
        looked at: they belong to other servers.
    """
    if key := os.environ.get(KEY_VARIABLE, "").strip():
        return key
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        return ""
    try:
        return keyring.get_password(_SERVICE, host) or ""
    except KeyringError:
        return ""


def without_key(text: object, key: str) -> str:
    """Return a message in one line without the key, which a server may have sent back."""
    plain = " ".join(str(text).split())
    return plain.replace(key, "***") if key else plain
