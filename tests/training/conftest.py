"""Fixtures of the training's tests."""

import hashlib
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image, ImageDraw

from astro_paperclip.config import conf
from astro_paperclip.images import letterbox, read_image

SHAPES = ("disc", "ring", "bar", "cross", "square frame", "triangle")
NUMBERS = ("one", "two")
PICTURES_OF_A_GROUP = 3


class FakeEncoder:
    """Says of pictures and texts what can be worked out by hand, and counts what it is asked."""

    def __init__(self, fingerprint="a" * 64, context_length=20):
        self.fingerprint = fingerprint
        self.context_length = context_length
        self.pixels = SimpleNamespace(size=16)
        self.pictures_seen = 0
        self.texts_seen = []
        self.fails_at = None

    def count_tokens(self, text):
        return len(text.split()) + 2

    def prepare(self, image):
        return np.asarray(letterbox(read_image(image), self.pixels.size))

    def image_features(self, squares):
        import torch

        if self.pictures_seen == self.fails_at:
            raise KeyboardInterrupt
        self.pictures_seen += 1
        return torch.from_numpy(self.of_squares(squares))

    def text_features(self, texts):
        import torch

        self.texts_seen.extend(texts)
        return torch.from_numpy(np.stack([self.of_text(text) for text in texts]))

    @staticmethod
    def of_squares(squares):
        """Return mean brightness of each colour and of the upper half."""
        whole = squares.mean(axis=(1, 2), dtype=np.float32)
        upper = squares[:, : squares.shape[1] // 2].mean(axis=(1, 2, 3), dtype=np.float32)
        return np.concatenate([whole, upper[:, None]], axis=1)

    @staticmethod
    def of_text(text):
        """Return numbers that belong to a text alone."""
        digest = hashlib.sha256(text.encode()).digest()
        return np.frombuffer(digest[:5], np.uint8).astype(np.float32)


@pytest.fixture
def make_encoder():
    """Return the class of encoders that are quick and known."""
    return FakeEncoder


@pytest.fixture(autouse=True)
def own_cache(tmp_path):
    """Let each test begin with an empty cache."""
    with conf.set_temp("cache_dir", str(tmp_path / "cache")):
        yield tmp_path / "cache"


def draw(shape, number, rng):
    """Draw one or two shapes of any colour, anywhere, upon noise."""
    picture = Image.fromarray(rng.integers(0, 40, (96, 96, 3), np.uint8))
    pen = ImageDraw.Draw(picture)
    colour = tuple(int(value) for value in rng.integers(120, 256, 3))
    for place in range(number):
        radius = int(rng.integers(14, 22))
        x, y = 26 + 44 * place + int(rng.integers(-4, 5)), int(rng.integers(26, 70))
        box = (x - radius, y - radius, x + radius, y + radius)
        if shape == "disc":
            pen.ellipse(box, fill=colour)
        elif shape == "ring":
            pen.ellipse(box, outline=colour, width=4)
        elif shape == "bar":
            pen.rectangle((x - radius, y - 4, x + radius, y + 4), fill=colour)
        elif shape == "cross":
            pen.line((x - radius, y, x + radius, y), fill=colour, width=5)
            pen.line((x, y - radius, x, y + radius), fill=colour, width=5)
        elif shape == "square frame":
            pen.rectangle(box, outline=colour, width=4)
        else:
            pen.polygon(
                [(x, y - radius), (x - radius, y + radius), (x + radius, y + radius)], colour
            )
    return picture


@pytest.fixture(scope="session")
def pairs(tmp_path_factory):
    """Return a pairs file: a group for each shape and number, three pictures a group."""
    folder = tmp_path_factory.mktemp("pairs")
    rng = np.random.default_rng(0)
    lines = ["image,text,title,group_id"]
    for shape, number, copy in product(SHAPES, (1, 2), range(PICTURES_OF_A_GROUP)):
        word = NUMBERS[number - 1]
        name = f"{shape}-{number}-{copy}.png".replace(" ", "-")
        draw(shape, number, rng).save(folder / name)
        plural = shape + "s" * (number > 1)
        text = f"We see {word} {plural}. The background is dark."
        lines.append(f"{name},{text},{word.title()} {plural},{shape} {word}")
    (folder / "pairs.csv").write_text("\n".join(lines) + "\n")
    return folder / "pairs.csv"
