"""A stand-in for encoders, and small collections of its vectors."""

import hashlib

import numpy as np

from astro_paperclip.collection import Collection
from astro_paperclip.images import read_image
from astro_paperclip.index import open_store, point_id


def direction(content, dimension=8):
    """Return a unit vector that depends on nothing but the content, a text or bytes."""
    content = content.encode() if isinstance(content, str) else content
    seed = int.from_bytes(hashlib.sha256(content).digest()[:4], "big")
    vector = np.random.default_rng(seed).normal(size=dimension).astype(np.float32)
    return vector / np.linalg.norm(vector)


class Encoder:
    """Gives each text and picture a direction of its own, and keeps what it was asked at once."""

    trained = True

    def __init__(self, name="fake", dim=8, *, context_length=10, views="whole"):
        self.name, self.dim, self.context_length, self.views = name, dim, context_length, views
        self.fingerprint = name.ljust(64, "-")
        self.batches = []

    @property
    def encoded(self):
        """All that it was asked."""
        return [content for batch in self.batches for content in batch]

    def count_tokens(self, text):
        return len(text.split()) + 2

    def encode_texts(self, texts):
        self.batches.append(list(texts))
        return np.stack([self.of_text(text) for text in texts])

    def encode_images(self, images, views):
        assert views == self.views
        self.batches.append(list(images))
        return np.stack([self.of_image(image) for image in images])

    def of_text(self, text):
        return direction(text, self.dim)

    def of_image(self, image):
        return direction(read_image(image).tobytes(), self.dim)


def make_collection(path, encoder, vectors, rows, *, ids=None):
    """Index rows, known by their images where no ids are given, and return the path."""
    about = {"encoder_name": encoder.name, "encoder_fingerprint": encoder.fingerprint}
    Collection.create(path, dimension=encoder.dim, views=encoder.views, **about)
    ids = ids or [point_id(row["image"]) for row in rows]
    with open_store(path, mode="w", dimension=encoder.dim, encoder=encoder.fingerprint) as store:
        store.upsert(ids, vectors, rows)
    return path
