"""Pictures that go beside a prompt: small, and nothing but pixels."""

from PIL import Image

__all__ = ["plain_picture"]


def plain_picture(picture: Image.Image, longest_side: int) -> Image.Image:
    """Return a small copy of a picture that holds nothing but its pixels.

    Parameters
    ----------
    picture : `PIL.Image.Image`
        Any picture; it is left as it is.
    longest_side : int
        Largest width and height [pixel]. Smaller pictures keep their size.

    Returns
    -------
    `PIL.Image.Image`
        Mode RGB, to be sent as PNG, which loses nothing. Comments, Exif and colour profiles,
        which may tell where a file came from, are left behind.

    Examples
    --------
    >>> from PIL import Image
    >>> from astro_paperclip.language.pictures import plain_picture
    >>> plain_picture(Image.new("L", (3000, 1500)), 512).size
    (512, 256)
    """
    picture = picture.convert("RGB")
    picture.thumbnail((longest_side, longest_side), Image.Resampling.LANCZOS)
    plain = Image.frombytes("RGB", picture.size, picture.tobytes())
    plain.format = "PNG"  # outlines sends pictures in the format that they name
    return plain
