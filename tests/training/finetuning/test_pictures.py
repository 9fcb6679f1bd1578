"""Pictures of noise: any mix-up of rows or any pixel that is missing shows."""

import os
import signal
import threading
from collections import Counter, namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pytest
from PIL import Image

from astro_paperclip.config import conf
from astro_paperclip.images import letterbox, read_image
from astro_paperclip.training.finetuning import pictures
from astro_paperclip.training.finetuning.pictures import PictureCache

SIZE = 24


def write_noise(path, size, seed):
    """Write a picture that no other equals."""
    pixels = np.random.default_rng(seed).integers(0, 200, (*size[::-1], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def paths(tmp_path):
    """Return pictures of several shapes."""
    sizes = [(24, 24), (64, 32), (11, 40), (20, 15), (48, 47), (100, 8)]
    return [
        str(write_noise(tmp_path / f"{seed}.png", size, seed)) for seed, size in enumerate(sizes)
    ]


@pytest.fixture
def decoded(monkeypatch):
    """Return how often each file was decoded."""
    counts = Counter()

    def read(path, **options):
        counts[Path(path).name] += 1
        return read_image(path, **options)

    monkeypatch.setattr(pictures, "read_image", read)
    return counts


def expected(paths, size=SIZE):
    """Return the squares that an encoder makes of files."""
    return np.stack([np.asarray(letterbox(read_image(p, at_least=size), size)) for p in paths])


def test_squares_are_those_of_an_encoder(compact, paths, tmp_path):
    size = compact.pixels.size
    squares, _ = PictureCache(paths, size, tmp_path).get(range(len(paths)))
    assert squares.dtype == np.uint8
    np.testing.assert_array_equal(squares, [compact.prepare(path) for path in paths])


def test_rows_come_in_the_order_asked_for(paths, tmp_path):
    cache = PictureCache(paths, SIZE, tmp_path)
    rows = np.array([4, 0, 4, 2])
    for _ in range(2):  # decoded, then kept
        squares, boxes = cache.get(rows)
        np.testing.assert_array_equal(squares, expected([paths[row] for row in rows]))
        assert squares.shape == (4, SIZE, SIZE, 3)
        assert boxes.shape == (4, 4)
    assert cache.get([])[0].shape == (0, SIZE, SIZE, 3)


@pytest.mark.parametrize("size", [23, 24, 57])
def test_a_box_is_what_the_picture_covers(tmp_path, size):
    sizes = [(24, 24), (64, 32), (11, 40), (333, 8), (8, 99), (57, 23), (1000, 999)]
    paths = [tmp_path / f"{width}-{height}.png" for width, height in sizes]
    for path, shape in zip(paths, sizes, strict=True):
        Image.new("RGB", shape, (90, 90, 90)).save(path)
    cache = PictureCache(paths, size, tmp_path)
    for squares, boxes in (cache.get(range(len(paths))), cache.get(range(len(paths)))):
        for square, (left, top, width, height) in zip(squares, boxes, strict=True):
            rows, columns = np.nonzero(square.any(axis=2))
            assert (left, left + width) == (columns.min(), columns.max() + 1)
            assert (top, top + height) == (rows.min(), rows.max() + 1)


def test_every_file_is_decoded_once(paths, tmp_path, decoded):
    for _ in range(2):  # by this run and by the next
        cache = PictureCache(paths, SIZE, tmp_path / "cache")
        for _ in range(2):
            squares, _ = cache.get(range(len(paths)))
        np.testing.assert_array_equal(squares, expected(paths))
    assert decoded == {Path(path).name: 1 for path in paths}
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_nothing_is_decoded_before_it_is_asked_for(paths, tmp_path, decoded):
    cache = PictureCache([*paths, "nowhere.png"], SIZE, tmp_path)
    assert len(cache) == len(paths) + 1
    assert not cache.broken
    cache.get([2])
    assert list(decoded) == ["2.png"]


@pytest.mark.parametrize("change", ["size", "time"])
def test_a_changed_file_is_decoded_again_and_no_other(paths, tmp_path, decoded, change):
    PictureCache(paths, SIZE, tmp_path).get(range(len(paths)))
    before = Path(paths[1]).stat()
    write_noise(paths[1], (60, 30) if change == "size" else (64, 32), seed=99)
    shift = 1 if change == "time" else 0
    os.utime(paths[1], ns=(before.st_atime_ns, before.st_mtime_ns + shift))
    decoded.clear()
    squares, _ = PictureCache(paths, SIZE, tmp_path).get(range(len(paths)))
    np.testing.assert_array_equal(squares, expected(paths))
    assert decoded == {"1.png": 1}


def test_other_pictures_or_another_size_share_nothing(paths, tmp_path):
    caches = [
        PictureCache(paths, SIZE, tmp_path),
        PictureCache(paths, SIZE + 1, tmp_path),
        PictureCache(paths[1:], SIZE, tmp_path),
        PictureCache(paths[::-1], SIZE, tmp_path),
    ]
    assert len({cache.path for cache in caches}) == 4
    for cache, row in zip(caches, (5, 5, 4, 0), strict=True):
        squares, _ = cache.get([row])
        np.testing.assert_array_equal(squares, expected([paths[5]], cache.size))


def test_relative_paths_are_those_of_their_folder(paths, tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.mkdir()
    write_noise(other / "0.png", (30, 20), seed=50)
    found = []
    for folder in (tmp_path, other):
        monkeypatch.chdir(folder)
        found.append(PictureCache(["0.png"], SIZE, tmp_path / "cache"))
    monkeypatch.chdir("/")
    for cache, path in zip(found, (paths[0], other / "0.png"), strict=True):
        np.testing.assert_array_equal(cache.get([0])[0], expected([path]))
    assert found[0].path == PictureCache(paths[:1], SIZE, tmp_path / "cache").path


def test_it_lies_in_the_cache_of_the_package(paths, tmp_path):
    with conf.set_temp("cache_dir", str(tmp_path / "kept")):
        cache = PictureCache(paths, SIZE)
    assert cache.path.parent == tmp_path / "kept" / "pictures"
    np.testing.assert_array_equal(cache.get([3])[0], expected([paths[3]]))


class TestBrokenPictures:
    def test_they_are_black_and_reported(self, paths, tmp_path):
        damaged = tmp_path / "damaged.png"
        damaged.write_bytes((tmp_path / "1.png").read_bytes()[:200])
        rows = [paths[0], tmp_path / "absent.png", damaged, paths[3]]
        for _ in range(2):
            cache = PictureCache(rows, SIZE, tmp_path)
            squares, boxes = cache.get(range(4))
            np.testing.assert_array_equal(squares[[0, 3]], expected([paths[0], paths[3]]))
            assert not squares[1:3].any()
            assert not boxes[1:3].any()
            assert [cache.is_readable(row) for row in range(4)] == [True, False, False, True]
            assert list(cache.broken) == [1, 2]
            assert "absent.png': there is no such file" in cache.broken[1]
            assert "damaged.png" in cache.broken[2]

    def test_asking_decodes(self, paths, tmp_path, decoded):
        cache = PictureCache([*paths, "absent.png"], SIZE, tmp_path)
        assert cache.is_readable(np.int64(2))
        assert not cache.is_readable(6)
        cache.get([2])
        assert decoded == {"2.png": 1}

    def test_a_broken_file_that_was_mended_is_read_by_the_next_run(self, tmp_path):
        path = tmp_path / "late.png"
        assert not PictureCache([path], SIZE, tmp_path).is_readable(0)
        write_noise(path, (30, 30), seed=1)
        squares, _ = PictureCache([path], SIZE, tmp_path).get([0])
        np.testing.assert_array_equal(squares, expected([path]))

    def test_what_is_left_of_an_unfinished_square_is_not_shown(self, paths, tmp_path):
        cache = PictureCache(paths, SIZE, tmp_path)
        cache.get(range(len(paths)))
        content = bytearray(cache.path.read_bytes())
        content[-1] ^= 1
        cache.path.write_bytes(content)
        Path(paths[-1]).write_bytes(b"")
        squares, boxes = cache.get([5])
        assert not squares.any()
        assert not boxes.any()
        assert not cache.is_readable(5)

    def test_a_file_that_goes_during_a_run_is_not_missed(self, paths, tmp_path):
        cache = PictureCache(paths, SIZE, tmp_path)
        squares, _ = cache.get([2])
        Path(paths[2]).unlink()
        np.testing.assert_array_equal(cache.get([2])[0], squares)
        assert cache.is_readable(2)
        assert not PictureCache(paths, SIZE, tmp_path).is_readable(2)

    @pytest.mark.parametrize("row", [-1, 6])
    def test_rows_that_there_are_not(self, paths, tmp_path, row):
        cache = PictureCache(paths, SIZE, tmp_path)
        with pytest.raises(IndexError, match=f"Row {row} is not among the 6 pictures"):
            cache.get([row])
        with pytest.raises(IndexError, match=f"Row {row}"):
            cache.is_readable(row)


class TestDisk:
    def test_a_disk_that_fills_up_keeps_a_reserve(self, paths, tmp_path, monkeypatch):
        usage = namedtuple("usage", "total used free")
        monkeypatch.setattr(pictures.shutil, "disk_usage", lambda _: usage(10**12, 0, 10**9))
        cache = PictureCache(paths, 256, tmp_path)
        squares, _ = cache.get(range(len(paths)))
        assert cache.is_full
        assert not cache.broken
        assert cache.path.stat().st_blocks * 512 < 1e5
        np.testing.assert_array_equal(cache.get(range(len(paths)))[0], squares)

    def test_a_large_disk_takes_all(self, paths, tmp_path):
        cache = PictureCache(paths, 256, tmp_path)
        cache.get(range(len(paths)))
        assert not cache.is_full
        assert cache.path.stat().st_blocks * 512 > len(paths) * 3 * 256**2

    def test_room_is_taken_only_by_what_was_read(self, paths, tmp_path):
        cache = PictureCache(paths * 1000, 256, tmp_path)
        cache.get([3, 4000])
        state = cache.path.stat()
        assert state.st_size > 1e9
        assert 2 * 3 * 256**2 <= state.st_blocks * 512 < 1e6

    def test_a_full_disk_costs_time_only(self, paths, tmp_path, monkeypatch):
        squares, _ = PictureCache(paths, SIZE, tmp_path / "other").get(range(len(paths)))
        cache = PictureCache(paths, SIZE, tmp_path)
        path_open = Path.open

        def full(path, mode="r", *args, **options):
            if mode == "r+b":
                raise OSError(28, "No space left on device")
            return path_open(path, mode, *args, **options)

        monkeypatch.setattr(Path, "open", full)
        for _ in range(2):
            np.testing.assert_array_equal(cache.get(range(len(paths)))[0], squares)
        assert cache.is_full


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are copied")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork")
class TestCompany:
    def test_threads(self, paths, tmp_path):
        cache = PictureCache(paths, SIZE, tmp_path)
        squares = expected(paths)
        together = threading.Barrier(4)

        def read(seed):
            rows = np.random.default_rng(seed).integers(len(paths), size=40)
            together.wait()
            for row in rows:
                np.testing.assert_array_equal(cache.get([row])[0], squares[[row]])

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(read, range(4)))

    @pytest.mark.parametrize("harm", ["zeros", "noise", "other picture"])
    def test_a_square_that_is_not_whole_is_made_anew(self, paths, tmp_path, decoded, harm):
        """As after a crash of the machine, which may write parts of a file in any order."""
        cache = PictureCache(paths, SIZE, tmp_path)
        cache.get(range(len(paths)))
        slot = cache.path.stat().st_size // len(paths)
        content = bytearray(cache.path.read_bytes())
        half = slice(2 * slot + slot // 2, 3 * slot)
        content[half] = {
            "zeros": bytes(slot // 2),
            "noise": np.random.default_rng(0).bytes(slot // 2),
            "other picture": content[slot + slot // 2 : 2 * slot],
        }[harm]
        cache.path.write_bytes(content)
        decoded.clear()
        for reader in (cache, PictureCache(paths, SIZE, tmp_path)):
            np.testing.assert_array_equal(reader.get(range(len(paths)))[0], expected(paths))
        assert decoded == {"2.png": 1}

    def test_a_process_that_is_killed_leaves_no_wrong_pixels(self, paths, tmp_path, monkeypatch):
        cache = PictureCache(paths, SIZE, tmp_path)
        cache.get([0, 1])
        path_open = Path.open

        def half(path, mode="r", *args, **options):
            file = path_open(path, mode, *args, **options)
            if mode == "r+b":
                write = file.write
                file = MagicMock(wraps=file)
                file.__enter__.return_value = file
                file.write.side_effect = lambda content: (
                    write(content[: len(content) // 2]),
                    file.flush(),
                    os.kill(os.getpid(), signal.SIGKILL),
                )
            return file

        monkeypatch.setattr(Path, "open", half)
        (child,) = start_processes(1, lambda: cache.get([2]))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        monkeypatch.undo()
        slot = cache.path.stat().st_size // len(paths)
        left = cache.path.read_bytes()[2 * slot : 3 * slot]
        assert any(left[: slot // 2])
        assert not any(left[slot // 2 :])
        for reader in (cache, PictureCache(paths, SIZE, tmp_path)):
            np.testing.assert_array_equal(reader.get(range(len(paths)))[0], expected(paths))

    def test_processes_at_once(self, paths, tmp_path):
        squares = expected(paths)

        def read():
            for _ in range(20):
                cache = PictureCache(paths, SIZE, tmp_path)
                np.testing.assert_array_equal(cache.get(range(len(paths)))[0], squares)

        for child in start_processes(4, read):
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def start_processes(count, action):
    """Do something in copies of this process, which is quicker than starting others."""
    children = []
    for _ in range(count):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                action()
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    return children
