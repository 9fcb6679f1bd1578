"""What MAST holds of the observations of a result: files, their addresses, pictures."""

import os
from typing import Any

from astropy.table import Table

__all__ = ["ResultHoldings"]

# They need a collection and an archive: docs/test_docstrings.py has them, and runs them.
__doctest_skip__ = ["*"]


class ResultHoldings:
    """Methods of a result that lead to the files of its observations."""

    def get_product_list(self, **kwargs: Any) -> Table:
        """List the files that MAST has for the observations, with rank and score.

        Parameters
        ----------
        **kwargs
            Filters and other arguments of `astro_paperclip.archive.get_product_list`, which also
            says what is returned and raised.

        Returns
        -------
        products : `~astropy.table.Table`

        Examples
        --------
        >>> from astro_paperclip import PaperclipMast
        >>> result = PaperclipMast.query_text("a comet", collection="hubble", limit=3)
        >>> from astro_paperclip.archive import Mast  # ``server`` is a simulated archive
        >>> mast = Mast(server)
        >>> products = result.get_product_list(mast=mast, productType="SCIENCE")
        >>> set(products["parent_obsid"]) == set(result["obsid"])
        True
        """
        from astro_paperclip import archive

        return archive.get_product_list(self, **kwargs)

    def download_products(self, **kwargs: Any) -> Table:
        """Download files of the observations.

        Parameters
        ----------
        **kwargs
            Filters and other arguments of `astro_paperclip.archive.download_products`, which also
            says what is returned and raised.

        Returns
        -------
        manifest : `~astropy.table.Table`

        Examples
        --------
        >>> from astro_paperclip import PaperclipMast
        >>> result = PaperclipMast.query_text("a comet", collection="hubble", limit=3)
        >>> from astro_paperclip.archive import Mast  # ``server`` is a simulated archive
        >>> mast = Mast(server)
        >>> manifest = result.download_products(
        ...     mast=mast, productType="SCIENCE", download_dir="science", progress=False
        ... )
        >>> set(manifest["Status"].tolist())
        {'COMPLETE'}
        """
        from astro_paperclip import archive

        return archive.download_products(self, **kwargs)

    def get_urls(self, **kwargs: Any) -> Table:
        """Say where files of the observations can be had from, and fetch nothing.

        Parameters
        ----------
        **kwargs
            Filters and other arguments of `astro_paperclip.archive.get_urls`, which also says what
            is returned and raised.

        Returns
        -------
        urls : `~astropy.table.Table`

        Examples
        --------
        >>> from astro_paperclip import PaperclipMast
        >>> result = PaperclipMast.query_text("a comet", collection="hubble", limit=3)
        >>> from astro_paperclip.archive import Mast  # ``server`` is a simulated archive
        >>> mast = Mast(server)
        >>> result.get_urls(mast=mast, productType="SCIENCE").colnames
        ['dataURI', 'url']
        """
        from astro_paperclip import archive

        return archive.get_urls(self, **kwargs)

    def get_previews(self, download_dir: str | os.PathLike = ".", **kwargs: Any) -> Table:
        """Fetch the pictures that the observations were found by.

        Parameters
        ----------
        download_dir : str or path-like
            Folder of the pictures, ``previews/<proposal_id>/`` below it.
        **kwargs
            Other arguments of `astro_paperclip.archive.get_previews`, which also says what is
            returned and raised.

        Returns
        -------
        previews : `~astropy.table.Table`

        Examples
        --------
        >>> from astro_paperclip import PaperclipMast
        >>> result = PaperclipMast.query_text("a comet", collection="hubble", limit=3)
        >>> from astro_paperclip.archive import Mast  # ``server`` is a simulated archive
        >>> mast = Mast(server)
        >>> previews = result.get_previews("pictures", mast=mast, progress=False)
        >>> set(previews["status"].tolist())
        {'complete'}
        """
        from astro_paperclip import archive

        return archive.get_previews(self, download_dir, **kwargs)
