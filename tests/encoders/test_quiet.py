import logging
import os
import subprocess
import sys
import threading

import pytest

from astro_paperclip.encoders.quiet import quiet_loading


def test_only_the_block_is_silent(caplog):
    with quiet_loading():
        logging.warning("No pretrained weights loaded")
        logging.error("Failed to download")
        logging.getLogger("someone.else").warning("heard inside")
    logging.warning("heard after")
    assert [record.message for record in caplog.records] == ["heard inside", "heard after"]


def test_other_threads_are_heard(caplog):
    with quiet_loading():
        other = threading.Thread(target=logging.warning, args=["from another thread"])
        other.start()
        other.join()
    assert [record.message for record in caplog.records] == ["from another thread"]


def test_an_error_ends_the_silence(caplog):
    with pytest.raises(ValueError, match="stop"), quiet_loading():
        raise ValueError("stop")
    logging.warning("heard")
    assert [record.message for record in caplog.records] == ["heard"]


def test_blocks_that_overlap_leave_nothing_behind(caplog):
    first, second = quiet_loading(), quiet_loading()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    logging.warning("silent")
    second.__exit__(None, None, None)
    logging.warning("heard")
    assert [record.message for record in caplog.records] == ["heard"]


def test_no_handler_is_left_on_the_root_logger(monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    with quiet_loading():
        logging.warning("would call basicConfig")
    assert logging.getLogger().handlers == []


_LOAD = """
import logging, socket, sys

def refuse(*args):
    raise AssertionError("the network was asked")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
from astro_paperclip import encoders
encoder = encoders.load("compact", device="cpu")
encoders.save(encoder, sys.argv[1])
encoders.load(sys.argv[1], device="cpu").encode_texts(["a comet"])
assert not logging.root.handlers
"""


def test_loading_says_nothing_and_asks_no_network(tmp_path):
    offline = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    environment = {name: value for name, value in os.environ.items() if name not in offline}
    command = [sys.executable, "-c", _LOAD, str(tmp_path / "saved")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
