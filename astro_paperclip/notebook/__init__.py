"""What a person looks at: galleries of results."""

from astro_paperclip.notebook.gallery import save_gallery

__all__ = ["save_gallery"]
