"""Pages for people: an observation in MAST's portal, and a proposal at STScI."""

import json
from urllib.parse import quote

from astro_paperclip.config import conf

__all__ = ["portal_url", "proposal_url"]

_PORTAL = "/portal/Mashup/Clients/Mast/Portal.html"
_PROPOSAL_PAGES = {
    "HST": "https://www.stsci.edu/hst-program-info/program/?program=",
    "HLA": "https://www.stsci.edu/hst-program-info/program/?program=",
    "JWST": "https://www.stsci.edu/jwst-program-info/program/?program=",
}
"""Address of a proposal's page without its number, by ``obs_collection``."""


def portal_url(obsid: str) -> str:
    """Return the address of an observation in MAST's portal.

    Parameters
    ----------
    obsid : str
        The observation's key in MAST: digits.

    Returns
    -------
    url : str
        Address at the configuration item ``mast_server``; "" if ``obsid`` is no key.

    Notes
    -----
    The portal opens with the search that the address describes: the service
    ``Mast.Caom.Filtered`` of MAST's interface for programs [1]_, with one filter.

    References
    ----------
    .. [1] https://mast.stsci.edu/api/v0/_services.html

    Examples
    --------
    >>> from astro_paperclip.archive.links import portal_url
    >>> portal_url("2003738726").startswith("https://mast.stsci.edu/portal/")
    True
    >>> portal_url("U27XCS01T")
    ''
    """
    if not _is_number(obsid):
        return ""
    wanted = {
        "service": "CAOMFILTERED",
        "inputText": [
            {
                "paramName": "obsid",
                "niceName": "obsid",
                "values": [obsid],
                "valString": obsid,
                "isDate": False,
                "separator": ";",
                "displayString": obsid,
            }
        ],
        "position": "undefined, undefined, undefined",
        "paramsService": "Mast.Caom.Filtered",
        "title": f"obsid {obsid}",
        "columns": "*",
    }
    search = quote(json.dumps(wanted, separators=(",", ":")), safe="")
    return f"{conf.mast_server.rstrip('/')}{_PORTAL}?searchQuery={search}"


def proposal_url(proposal_id: str, obs_collection: str = "HST") -> str:
    """Return the address of a proposal's page at STScI.

    Parameters
    ----------
    proposal_id : str
        Number of the proposal.
    obs_collection : str
        The mission, as MAST names it.

    Returns
    -------
    url : str
        "" if it is no number, or the mission is none of STScI's own.

    Examples
    --------
    >>> from astro_paperclip.archive.links import proposal_url
    >>> proposal_url("9405")
    'https://www.stsci.edu/hst-program-info/program/?program=9405'
    """
    page = _PROPOSAL_PAGES.get(obs_collection, "")
    return f"{page}{proposal_id}" if page and _is_number(proposal_id) else ""


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()
