"""Find files in MAST's public cloud bucket, through astroquery."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tqdm import tqdm

from astro_paperclip.archive.mast import Mast
from astro_paperclip.archive.traffic import TransientError
from astro_paperclip.exceptions import ArchiveError
from astro_paperclip.logger import log

if TYPE_CHECKING:
    from astroquery.mast import ObservationsClass

__all__ = ["cloud_addresses"]

_BATCH = 50
"""URIs in one request of astroquery's for their places in the bucket."""

_SECURE = "https://"
"""How the bucket is reached; astroquery names its address without encryption."""


def cloud_addresses(uris: Sequence[str], mast: Mast, *, progress: bool = True) -> dict[str, str]:
    """Find out where files are in MAST's public bucket.

    Parameters
    ----------
    uris : sequence of str
        MAST URIs; web addresses are never in the bucket.
    mast : Mast
        Whose client is asked.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    addresses : dict of str
        Web address by URI, of those that are there. They need no account. Where the bucket
        cannot be reached, a warning is logged, and the rest is left out.

    Raises
    ------
    ArchiveError
        If boto3 is not installed.
    """
    client = mast.observations
    try:
        client.enable_cloud_dataset(verbose=False)
    except ImportError as error:
        raise ArchiveError(
            "MAST's cloud bucket is reached through boto3, which is not installed: run "
            "'pip install boto3', or do without the cloud."
        ) from error
    uris = [uri for uri in uris if uri.startswith("mast:")]
    starts = range(0, len(uris), _BATCH)
    addresses = {}
    try:
        for start in tqdm(starts, "looking in the cloud", unit="batch", disable=not progress):
            addresses |= mast.attempt(_found, client, uris[start : start + _BATCH])
    except ArchiveError as error:
        log.warning(f"MAST's cloud bucket is left out from here on: {error}")
    finally:
        client.disable_cloud_dataset()
    return addresses


def _found(client: "ObservationsClass", uris: list[str]) -> dict[str, str]:
    """Ask for the addresses of some files, once."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        found = client.get_cloud_uris(
            uris, include_bucket=False, full_url=True, return_uri_map=True, verbose=False
        )
    except (BotoCoreError, ClientError) as error:
        raise ArchiveError(f"the bucket cannot be used: {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise TransientError("unreadable", f"list of places in the cloud: {error!r}") from error
    return {
        uri: address.replace("http://", _SECURE, 1)
        for uri, address in (found or {}).items()
        if address
    }
