"""Configuration of ``astro_paperclip``, kept in the package's own file.

Change a value for a session with ``conf.collection = ...``, for a block with
``with conf.set_temp("row_limit", 10): ...``, or for good in ``astro_paperclip.cfg``
in astropy's configuration directory.
"""

from astropy.config import ConfigItem as _ConfigItem
from astropy.config import ConfigNamespace as _ConfigNamespace

__all__ = ["Conf", "conf"]


class ConfigItem(_ConfigItem):
    """A configuration item that lives in this package's own file."""

    rootname = "astro_paperclip"


class Conf(_ConfigNamespace):
    """Configuration parameters of `astro_paperclip`."""

    rootname = "astro_paperclip"

    collection = ConfigItem(
        "",
        "Collection that queries search when none is given: a directory, or the address "
        "https://HOST:6333/NAME of one on a Qdrant server.",
    )
    qdrant_url = ConfigItem(
        "",
        "Address https://HOST:6333/NAME of the collection that queries search when there is no "
        "other: for a machine whose users share one, beside collections of their own.",
    )
    qdrant_grpc = ConfigItem(
        False, "Whether a Qdrant server is called by gRPC (port 6334) instead of HTTP."
    )
    device = ConfigItem(
        ["auto", "cpu", "cuda", "mps"],
        "Where encoders run. 'auto' takes the first of cuda, mps, cpu that is there.",
    )
    row_limit = ConfigItem(50, "Largest number of rows that a query returns unless told otherwise.")
    batch_size = ConfigItem(32, "Number of images or texts that are encoded together.")
    max_image_pixels = ConfigItem(
        200_000_000,
        "Images with more pixels than this are refused before they are decoded.",
    )
    collections_dir = ConfigItem(
        "",
        "Folder whose collections are listed. Empty: the folder that the collection lies in.",
    )
    mast_server = ConfigItem("https://mast.stsci.edu", "Address of MAST.")
    proposals_url = ConfigItem(
        "https://archive.stsci.edu/hst/catalogs/abstracts.cat",
        "Address of the catalogue of Hubble proposals with their abstracts.",
    )
    timeout = ConfigItem(60.0, "Time limit in seconds for a server to answer, or to go on sending.")
    retries = ConfigItem(8, "How often a request to a server is tried again before it is given up.")
    max_connections = ConfigItem(8, "Number of files that are fetched at once.")
    max_file_size = ConfigItem(200_000_000, "Previews with more bytes than this are refused.")
    max_reply_size = ConfigItem(
        2_000_000_000, "Replies of MAST's services with more bytes than this are refused."
    )
    cache_dir = ConfigItem(
        "", "Where computed features are kept. Empty: a folder of its own in astropy's cache."
    )


conf = Conf()
