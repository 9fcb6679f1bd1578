import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from astro_paperclip.config import conf
from astro_paperclip.encoders import encode_files, stream
from astro_paperclip.exceptions import ImageError

DIM = 3


class FakeEncoder:
    """Takes numbers for pictures; the vector of n is (n, n, n)."""

    dim = DIM
    device = torch.device("cpu")
    pictures_at_a_time = 4

    def __init__(self, broken=()):
        self.broken = broken
        self.prepared = []
        self.encoded_by = set()
        self.views = set()

    def build_image_tower(self):
        pass

    def prepare(self, number):
        self.prepared.append(number)
        if number in self.broken:
            raise ImageError(f"Cannot read image '{number}.jpg'")
        return np.full((2, 2, 3), number, np.uint8)

    def encode_squares(self, squares, views):
        self.encoded_by.add((threading.current_thread().name, torch.get_num_threads()))
        self.views.add(views)
        return squares[:, 0, 0].astype(np.float32)


class Counted:
    """The numbers from 0, and how many of them were asked for."""

    def __init__(self, count):
        self.count = count
        self.taken = 0

    def __len__(self):
        return self.count

    def __iter__(self):
        for number in range(self.count):
            self.taken += 1
            yield number


def helpers():
    return [thread for thread in threading.enumerate() if thread.name.startswith("encode-images")]


@pytest.fixture(autouse=True, params=["cpu", "cuda"])
def device(request, monkeypatch):
    """Where the pictures are encoded; with three cores on a CPU."""
    monkeypatch.setattr(FakeEncoder, "device", torch.device(request.param))
    cores = torch.get_num_threads()
    torch.set_num_threads(3)
    yield request.param
    torch.set_num_threads(cores)


@pytest.mark.parametrize("batch_size", [1, 3, 4, 10, 100])
def test_every_file_comes_once_and_in_order(batch_size):
    batches = list(encode_files(FakeEncoder(), range(10), batch_size=batch_size))
    positions = np.concatenate([batch.positions for batch in batches])
    vectors = np.concatenate([batch.vectors for batch in batches])
    assert positions.dtype == np.int64
    np.testing.assert_array_equal(positions, np.arange(10))
    np.testing.assert_array_equal(vectors, np.repeat(np.arange(10)[:, None], DIM, axis=1))
    assert len(batches) == -(-10 // batch_size)
    assert not any(batch.broken for batch in batches)
    assert not helpers()


def test_batches_are_as_large_as_configured():
    with conf.set_temp("batch_size", 4):
        sizes = [len(batch.positions) for batch in encode_files(FakeEncoder(), range(10))]
    assert sizes == [4, 4, 2]


def test_no_files():
    assert list(encode_files(FakeEncoder(), [])) == []


def test_broken_files_are_passed_over_and_reported():
    encoder = FakeEncoder(broken=[1, 4, 5, 9])
    batches = list(encode_files(encoder, range(10), batch_size=2, skip_broken=True))
    assert [batch.positions.tolist() for batch in batches] == [[0], [2, 3], [], [6, 7], [8]]
    assert [batch.vectors.shape for batch in batches] == [(n, DIM) for n in (1, 2, 0, 2, 1)]
    assert all(batch.vectors.dtype == np.float32 for batch in batches)
    broken = [entry for batch in batches for entry in batch.broken]
    assert broken == [(n, f"Cannot read image '{n}.jpg'") for n in (1, 4, 5, 9)]
    np.testing.assert_array_equal(batches[3].vectors[:, 0], [6, 7])


def test_a_broken_file_stops_everything_otherwise():
    batches = encode_files(FakeEncoder(broken=[3]), range(10), batch_size=2)
    assert next(batches).positions.tolist() == [0, 1]
    with pytest.raises(ImageError, match=r"'3\.jpg'"):
        next(batches)
    assert not helpers()


def test_other_errors_are_never_passed_over():
    encoder = FakeEncoder()
    encoder.prepare = lambda number: 1 / 0
    with pytest.raises(ZeroDivisionError):
        list(encode_files(encoder, range(3), skip_broken=True))


def test_reads_no_further_ahead_than_two_batches():
    numbers = Counted(1000)
    batches = encode_files(FakeEncoder(), numbers, batch_size=5)
    assert numbers.taken == 0
    for done in range(1, 6):
        next(batches)
        assert numbers.taken == 5 * (done + 2)
    batches.close()


@pytest.fixture
def gate(monkeypatch):
    """An event that is set once what waits in the queue of readers was cancelled."""
    event = threading.Event()

    class Pool(ThreadPoolExecutor):
        def shutdown(self, wait=True, *, cancel_futures=False):
            super().shutdown(wait=False, cancel_futures=cancel_futures)
            event.set()
            super().shutdown(wait=wait)

    monkeypatch.setattr(stream, "ThreadPoolExecutor", Pool)
    yield event
    event.set()


class SlowEncoder(FakeEncoder):
    """Prepares the first two pictures at once and the others when it may."""

    #: The first two, and what three threads on a CPU, or two for a GPU, may have begun with.
    begun = frozenset(range(8))

    def __init__(self, gate):
        super().__init__()
        self.gate = gate

    def prepare(self, number):
        if number > 1:
            self.gate.wait(60)
        return super().prepare(number)


def test_closing_early_leaves_the_rest_unread(gate):
    encoder = SlowEncoder(gate)
    batches = encode_files(encoder, range(100), batch_size=2)
    next(batches)
    batches.close()
    assert set(encoder.prepared) <= encoder.begun
    assert not helpers()


def test_ctrl_c_leaves_the_rest_unread(gate):
    encoder = SlowEncoder(gate)

    def interrupted(squares, views):
        raise KeyboardInterrupt

    encoder.encode_squares = interrupted
    with pytest.raises(KeyboardInterrupt):
        list(encode_files(encoder, range(100), batch_size=2))
    assert set(encoder.prepared) <= encoder.begun
    assert not helpers()


def test_a_cpus_cores_are_shared_among_the_threads(device, monkeypatch):
    monkeypatch.setattr(stream, "_ENCODERS", 2)
    torch.set_num_threads(5)
    encoder = FakeEncoder()
    batches = encode_files(encoder, range(200), batch_size=20)
    next(batches)
    assert torch.get_num_threads() == 5
    assert len(list(batches)) == 9
    if device == "cpu":
        assert {name[:13] for name, _ in encoder.encoded_by} == {"encode-images"}
        assert {cores for _, cores in encoder.encoded_by} == {2}
    else:
        assert encoder.encoded_by == {(threading.current_thread().name, 5)}


def test_threads_to_come_have_all_cores_again():
    list(encode_files(FakeEncoder(), range(10)))
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == torch.get_num_threads() == 3


def test_views_are_handed_on():
    encoder = FakeEncoder()
    list(encode_files(encoder, range(3), views="rotations"))
    assert encoder.views == {"rotations"}


def test_progress_is_shown_on_demand(capsys):
    list(encode_files(FakeEncoder(), range(3)))
    assert capsys.readouterr().err == ""
    list(encode_files(FakeEncoder(), range(3), batch_size=2, progress=True))
    captured = capsys.readouterr()
    assert "3/3" in captured.err
    assert captured.out == ""


@pytest.mark.usefixtures("in_float32")
def test_files_have_the_vectors_of_their_pictures(own_tiny, pictures, picture_files, tmp_path):
    truncated = tmp_path / "truncated.png"
    truncated.write_bytes(picture_files[0].read_bytes()[:200])
    files = [*picture_files, truncated, tmp_path / "missing.jpg"]
    (batch,) = own_tiny.encode_image_files(files, skip_broken=True)
    np.testing.assert_allclose(batch.vectors, own_tiny.encode_images(pictures), atol=1e-6)
    assert [position for position, _ in batch.broken] == [5, 6]
    assert "truncated.png" in batch.broken[0][1]
    assert "missing.jpg" in batch.broken[1][1]
