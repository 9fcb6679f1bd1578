"""What a person looks at: pictures beside rows, galleries, charts and maps of the sky."""

from astro_paperclip.notebook.gallery import save_gallery
from astro_paperclip.notebook.html_view import HtmlView
from astro_paperclip.notebook.sky_view import SkyView

__all__ = ["HtmlView", "SkyView", "save_gallery"]
