"""Batches of small pictures, each of one colour that tells whose picture it is."""

import _thread
import concurrent.futures
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

from astro_paperclip.exceptions import TrainingError
from astro_paperclip.training.finetuning import loader as loader_module
from astro_paperclip.training.finetuning.distributed import Processes
from astro_paperclip.training.finetuning.loader import BatchLoader
from astro_paperclip.training.finetuning.pictures import PictureCache
from astro_paperclip.training.finetuning.views import ViewSettings, whole_views

ROWS, SIZE = 24, 12
MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)
VIEWS = ViewSettings(
    size=SIZE, crop_area=(0.3, 1), quarter_turns=True, flips=True, gamma=1.5, grey=0.3, permute=0.3
)
PLAIN = ViewSettings(size=SIZE)
GROUPS = np.array([f"group {row // 3}" for row in range(ROWS)])
LABELS = np.stack([np.arange(ROWS) // 3, np.arange(ROWS) % 5], axis=1)


class Texts:
    """Call each row by its number and one of a hundred endings."""

    def draw(self, rows, rng, within=slice(None)):
        endings = rng.integers(100, size=len(rows))
        return [f"{row} {end}" for row, end in zip(rows[within], endings[within], strict=True)]

    def tokens(self, texts):
        return torch.tensor([[int(word) for word in text.split()] for text in texts])


@pytest.fixture
def paths(tmp_path):
    """Return pictures of noise."""
    paths = [tmp_path / f"{row}.png" for row in range(ROWS)]
    for row, path in enumerate(paths):
        pixels = np.random.default_rng(row).integers(1, 240, (20, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    return paths


@pytest.fixture
def make_loader(paths, tmp_path):
    """Return a function that makes loaders, and a check that they leave no thread behind."""

    def make(**changes):
        def rows_of(step):
            return np.random.default_rng([9, step]).choice(ROWS, 8, replace=False)

        settings = {
            "pictures": PictureCache(paths, 16, tmp_path / "cache"),
            "texts": Texts(),
            "labels": LABELS,
            "groups": GROUPS,
            "training": np.arange(ROWS),
            "rows_of": rows_of,
            "views": VIEWS,
            "mean": MEAN,
            "std": STD,
            "seed": 3,
            "start": 0,
            "end": 5,
            "processes": Processes(),
            "device": torch.device("cpu"),
            "threads": 3,
        }
        return BatchLoader(**settings | changes)

    yield make
    assert not loader_threads()


def loader_threads():
    prefixes = ("read-pictures", "make-batches")
    return [t.name for t in threading.enumerate() if t.name.startswith(prefixes)]


def all_of(batches):
    with batches:
        return dict(batches)


def wait_until(condition):
    while not condition():
        time.sleep(0.01)


def expect_equal(batch, other):
    for name in ("pixels", "tokens", "labels"):
        torch.testing.assert_close(getattr(batch, name), getattr(other, name), rtol=0, atol=0)
    np.testing.assert_array_equal(batch.rows, other.rows)


def test_a_batch_is_what_was_asked_for(make_loader, paths, tmp_path):
    batches = all_of(make_loader(views=PLAIN))
    assert list(batches) == [0, 1, 2, 3, 4]
    squares, _ = PictureCache(paths, 16, tmp_path / "other").get(range(ROWS))
    pixels = whole_views(squares, SIZE, MEAN, STD)
    for step, batch in batches.items():
        rows = np.random.default_rng([9, step]).choice(ROWS, 8, replace=False)
        np.testing.assert_array_equal(batch.rows, rows)
        assert batch.rows.dtype == np.int64
        torch.testing.assert_close(batch.pixels, pixels[rows], rtol=0, atol=0)
        assert batch.pixels.is_contiguous(memory_format=torch.channels_last)
        np.testing.assert_array_equal(batch.tokens[:, 0], rows)
        np.testing.assert_array_equal(batch.labels, LABELS[rows])


def test_views_made_on_the_device_are_the_same(make_loader):
    # Crops as large as the views keep their pixels, whoever cuts them out.
    views = ViewSettings(
        **vars(VIEWS) | {"crop_area": ((SIZE / 16) ** 2, (SIZE / 16) ** 2), "aspect": 0.0}
    )
    by_threads = all_of(make_loader(views=views))
    on_device = all_of(make_loader(views=views, views_on_device=True))
    for step, batch in by_threads.items():
        torch.testing.assert_close(on_device[step].pixels, batch.pixels, rtol=0, atol=2e-4)
        assert on_device[step].pixels.is_contiguous(memory_format=torch.channels_last)
        np.testing.assert_array_equal(on_device[step].rows, batch.rows)


def test_what_is_not_trained_on_takes_no_place(make_loader, paths):
    for row in (3, 4, 5):
        paths[row].write_bytes(b"")
    training = np.array([0, 3, 4, 5, 20, 22])
    batches = all_of(make_loader(training=training, rows_of=lambda step: np.array([3, 5] * 4)))
    for batch in batches.values():
        assert set(batch.rows.tolist()) == {20}


def test_same_seed_same_batches(make_loader):
    first, again, other = (all_of(make_loader(seed=seed)) for seed in (3, 3, 4))
    for step in range(5):
        expect_equal(first[step], again[step])
        assert (first[step].pixels != other[step].pixels).flatten(1).any(1).all()
        assert (first[step].tokens[:, 1] != other[step].tokens[:, 1]).any()


def test_views_and_texts_change_from_step_to_step(make_loader):
    batches = all_of(make_loader(rows_of=lambda step: np.arange(8)))
    assert len({batch.pixels.numpy().tobytes() for batch in batches.values()}) == 5
    assert len({batch.tokens.numpy().tobytes() for batch in batches.values()}) == 5


def test_a_later_start_goes_on_where_a_run_stopped(make_loader):
    whole = all_of(make_loader())
    rest = all_of(make_loader(start=3))
    assert list(rest) == [3, 4]
    for step, batch in rest.items():
        expect_equal(batch, whole[step])
    assert not all_of(make_loader(start=5))


@pytest.mark.parametrize("count", [2, 4])
def test_processes_together_see_what_one_would(make_loader, paths, count):
    paths[4].write_bytes(b"")
    whole = all_of(make_loader())
    shares = [all_of(make_loader(processes=Processes(rank, count))) for rank in range(count)]
    for step, batch in whole.items():
        parts = [share[step] for share in shares]
        assert {len(part.rows) for part in parts} == {8 // count}
        for name in ("pixels", "tokens", "labels"):
            together = torch.cat([getattr(part, name) for part in parts])
            torch.testing.assert_close(together, getattr(batch, name), rtol=0, atol=0)
        np.testing.assert_array_equal(np.concatenate([part.rows for part in parts]), batch.rows)


def test_batches_that_cannot_be_shared(make_loader):
    with (
        make_loader(processes=Processes(0, 3)) as loader,
        pytest.raises(TrainingError, match="3 processes cannot share 8 pairs"),
    ):
        next(iter(loader))


def test_pairs_without_labels(make_loader):
    assert all_of(make_loader(labels=None))[0].labels is None


class TestBrokenPictures:
    @pytest.mark.parametrize(
        ("broken", "row", "instead"),
        [
            ([4], 4, 5),  # of its own group is the next one,
            ([5], 5, 3),  # and after the last comes the first
            ([3, 4], 3, 5),
            ([3, 4, 5], 4, 6),  # no other of its group: the next in the table
            ([21, 22, 23], 23, 0),
            ([21, 22, 23, 0, 1], 21, 2),
        ],
    )
    def test_another_takes_the_place(self, make_loader, paths, broken, row, instead):
        for number in broken:
            paths[number].unlink()
        rows = np.array([row, 9, 15, 18])
        loader = make_loader(views=PLAIN, rows_of=lambda step: rows)
        batches = all_of(loader)
        whole = all_of(make_loader(views=PLAIN, rows_of=lambda step: [instead, 9, 15, 18]))
        for step, batch in batches.items():
            expect_equal(batch, whole[step])
            assert batch.rows.tolist() == [instead, 9, 15, 18]
        assert row in loader.skipped
        assert set(loader.skipped) <= set(broken)
        assert loader.skipped[row].endswith(f"{row}.png': there is no such file")
        assert rows[0] == row

    def test_none_can_be_read(self, make_loader, paths):
        for path in paths:
            path.unlink()
        with (
            make_loader() as loader,
            pytest.raises(TrainingError, match=r"None of the 24 pictures can be read.*\.png"),
        ):
            next(iter(loader))

    def test_whole_pictures_are_not_reported(self, make_loader):
        loader = make_loader()
        all_of(loader)
        assert loader.skipped == {}


class Refuses(Texts):
    """Texts of which some make trouble."""

    def draw(self, rows, rng, within=slice(None)):
        if 2 in rows:
            raise ValueError("no words for 2")
        return super().draw(rows, rng, within)


class TestErrors:
    def test_of_texts(self, make_loader):
        loader = make_loader(
            texts=Refuses(), rows_of=lambda step: np.array([step, step + 4]), end=20
        )
        seen = []
        with loader, pytest.raises(ValueError, match="no words for 2"):
            seen.extend(step for step, _ in loader)
        assert seen == [0, 1]

    def test_of_rows(self, make_loader):
        def rows_of(step):
            return np.arange(8) + (1000 if step else 0)

        with make_loader(rows_of=rows_of) as loader, pytest.raises(IndexError, match="Row 1000"):
            list(loader)

    def test_of_time(self, make_loader):
        """An error of a thread is not mistaken for the end of a nap."""

        class Late(Texts):
            def tokens(self, texts):
                raise TimeoutError("late")

        with make_loader(texts=Late()) as loader, pytest.raises(TimeoutError, match="late"):
            next(iter(loader))

    def test_of_the_consumer(self, make_loader):
        def consume():
            with make_loader(end=10**6) as batches:
                for step, _ in batches:
                    1 / (1 - step)

        with pytest.raises(ZeroDivisionError):
            consume()


class Gate:
    """Pictures that are read only while a gate is open."""

    def __init__(self, pictures):
        self._pictures = pictures
        self.size = pictures.size
        self.broken = pictures.broken
        self.is_readable = pictures.is_readable
        self.asked = 0
        self.is_open = threading.Event()

    def get(self, rows):
        self.asked += 1
        assert self.is_open.wait(timeout=60)
        return self._pictures.get(rows)


@pytest.fixture
def gate(paths, tmp_path):
    return Gate(PictureCache(paths, 16, tmp_path / "cache"))


class TestReadingAhead:
    def test_it_is_bounded(self, make_loader):
        asked = []

        def rows_of(step):
            asked.append(step)
            return np.arange(8)

        with make_loader(rows_of=rows_of, end=10**6) as loader:
            for step, _ in loader:
                assert asked == list(range(step + 3))
                if step == 10:
                    break

    def test_closing_does_not_wait_for_what_was_planned(self, make_loader, gate, monkeypatch):
        """Of all pictures that were planned, only those that threads are at are still read."""

        class Pool(ThreadPoolExecutor):
            def shutdown(self, wait=True, *, cancel_futures=False):
                super().shutdown(wait=False, cancel_futures=cancel_futures)
                gate.is_open.set()
                super().shutdown(wait=wait)

        monkeypatch.setattr(loader_module, "ThreadPoolExecutor", Pool)
        gate.is_open.set()
        with make_loader(pictures=gate, rows_of=lambda step: np.arange(ROWS)) as batches:
            next(iter(batches))
            gate.is_open.clear()
            asked = gate.asked
        assert gate.asked <= asked + 3

    def test_an_interrupt_is_heard_while_waiting(self, make_loader, gate, monkeypatch):
        batches = make_loader(pictures=gate)
        waiting = threading.Event()

        def wait(futures, timeout):
            waiting.set()
            return concurrent.futures.wait(futures, timeout)

        def interrupt():
            wait_until(lambda: gate.asked and waiting.is_set())
            _thread.interrupt_main()
            wait_until(lambda: batches.waited_s)
            gate.is_open.set()

        monkeypatch.setattr(loader_module, "wait", wait)
        helper = threading.Thread(target=interrupt, daemon=True)
        helper.start()
        with batches, pytest.raises(KeyboardInterrupt):
            next(iter(batches))
        helper.join()
        assert gate.asked <= 3

    def test_a_loader_that_was_not_used_has_nothing_to_end(self, make_loader):
        with make_loader():
            pass
        make_loader().close()

    def test_it_can_be_begun_again(self, make_loader):
        with make_loader() as loader:
            first = next(iter(loader))[1]
            expect_equal(next(iter(loader))[1], first)
            assert [step for step, _ in loader] == [0, 1, 2, 3, 4]


def test_time_spent_waiting_is_counted(make_loader, gate):
    loader = make_loader(pictures=gate)
    began = time.monotonic()
    with loader:
        assert loader.waited_s == 0
        opener = threading.Timer(0.2, gate.is_open.set)
        opener.start()
        list(loader)
        opener.join()
    assert 0.2 <= loader.waited_s <= time.monotonic() - began


@pytest.mark.gpu
def test_a_gpu_gets_the_same_batches(make_loader):
    device = torch.device("cuda", torch.cuda.current_device())
    here = all_of(make_loader(end=20, views_on_device=True))
    there = all_of(make_loader(end=20, device=device))
    assert list(there) == list(here)
    for step, batch in there.items():
        for name, tolerance in {"pixels": 1e-3, "tokens": 0, "labels": 0}.items():
            tensor = getattr(batch, name)
            assert tensor.device == device
            expected = getattr(here[step], name)
            torch.testing.assert_close(tensor.cpu(), expected, rtol=0, atol=tolerance)
        assert batch.pixels.is_contiguous(memory_format=torch.channels_last)
