"""Encoders whose weights come from a hub."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.remote_data

# In a process of its own, as this one was told at its start that there is no hub.
PROGRAM = """
import numpy as np
from astro_paperclip import encoders
encoder = encoders.load("ViT-B-16-quickgelu/openai", "cpu")
texts = encoder.encode_texts(["a plain black picture", "a plain white picture"])
images = encoder.encode_images([np.zeros((64, 64, 3), np.uint8)])
print(encoder.dim, encoder.context_length, int(np.argmax(images @ texts.T)))
"""


def test_the_paper_s_base_model():
    online = {k: v for k, v in os.environ.items() if not k.endswith("_OFFLINE")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=online, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["512", "77", "0"]
