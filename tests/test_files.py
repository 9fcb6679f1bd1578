import os
import sys
import threading
from pathlib import Path

import pytest

from astro_paperclip.files import written_whole, written_whole_folder

not_on_windows = pytest.mark.skipif(sys.platform == "win32", reason="files have no mode there")


def content(folder):
    """Return everything below a folder, hidden files included."""
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def umask():
    """Let the process be careful about who may read its files."""
    before = os.umask(0o027)
    yield
    os.umask(before)


class TestFile:
    """`written_whole`."""

    def test_the_old_file_is_there_until_the_new_one_is_whole(self, tmp_path):
        path = tmp_path / "a.txt"
        path.write_text("old")
        with written_whole(path) as temporary:
            temporary.write_text("new")
            assert path.read_text() == "old"
        assert content(tmp_path) == {"a.txt": "new"}

    def test_folders_are_made(self, tmp_path):
        with written_whole(tmp_path / "a" / "b" / "c.txt") as temporary:
            temporary.write_text("new")
        assert content(tmp_path) == {"a/b/c.txt": "new"}

    def test_a_name_may_be_text_and_keeps_its_suffix(self, tmp_path):
        with written_whole(str(tmp_path / "picture.png")) as temporary:
            assert temporary.suffix == ".png"
            assert temporary.parent == tmp_path
            temporary.write_text("new")
        assert content(tmp_path) == {"picture.png": "new"}

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    @pytest.mark.parametrize("old", [{}, {"a.txt": "old"}])
    def test_an_error_leaves_what_was_there(self, tmp_path, error, old):
        for name, text in old.items():
            (tmp_path / name).write_text(text)

        def fail():
            with written_whole(tmp_path / "a.txt") as temporary:
                temporary.write_text("half")
                raise error

        with pytest.raises(error):
            fail()
        assert content(tmp_path) == old

    @not_on_windows
    def test_permissions_are_those_of_any_new_file(self, tmp_path, umask):
        with written_whole(tmp_path / "a.txt") as temporary:
            temporary.write_text("new")
        (tmp_path / "b.txt").write_text("by the system")
        modes = {(tmp_path / name).stat().st_mode & 0o777 for name in ("a.txt", "b.txt")}
        assert modes == {0o640}

    def test_readers_never_see_half_a_file(self, tmp_path):
        """Three threads write, this one reads."""
        path = tmp_path / "a.txt"
        wholes = [letter * 200_000 for letter in "abc"]
        path.write_text(wholes[0])

        def write(whole):
            for _ in range(20):
                with written_whole(path) as temporary:
                    temporary.write_text(whole)

        writers = [threading.Thread(target=write, args=[whole]) for whole in wholes]
        for writer in writers:
            writer.start()
        while any(writer.is_alive() for writer in writers):
            assert path.read_text() in wholes
        assert path.read_text() in wholes
        assert list(content(tmp_path)) == ["a.txt"]


class TestFolder:
    """`written_whole_folder`."""

    @pytest.fixture
    def old(self, tmp_path):
        """Return a folder with a file."""
        folder = tmp_path / "folder"
        (folder / "sub").mkdir(parents=True)
        (folder / "sub" / "old.txt").write_text("old")
        return folder

    def test_a_new_folder(self, tmp_path):
        with written_whole_folder(tmp_path / "a" / "b") as temporary:
            (temporary / "new.txt").write_text("new")
            assert not (tmp_path / "a" / "b").exists()
        assert content(tmp_path) == {"a/b/new.txt": "new"}

    def test_an_old_folder_is_replaced_as_a_whole(self, tmp_path, old):
        with written_whole_folder(str(old)) as temporary:
            (temporary / "new.txt").write_text("new")
            assert content(old) == {"sub/old.txt": "old"}
        assert content(tmp_path) == {"folder/new.txt": "new"}
        assert list(tmp_path.iterdir()) == [old]

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_an_error_leaves_what_was_there(self, tmp_path, old, error):
        def fail():
            with written_whole_folder(old) as temporary:
                (temporary / "half.txt").write_text("half")
                raise error

        with pytest.raises(error):
            fail()
        assert content(tmp_path) == {"folder/sub/old.txt": "old"}
        assert list(tmp_path.iterdir()) == [old]

    def test_the_old_folder_comes_back_where_the_new_one_cannot_be_moved(
        self, tmp_path, old, monkeypatch
    ):
        rename = Path.rename

        def refuse(path, target):
            if (path / "new.txt").exists():
                raise PermissionError("not here")
            return rename(path, target)

        monkeypatch.setattr(Path, "rename", refuse)
        with pytest.raises(PermissionError), written_whole_folder(old) as temporary:
            (temporary / "new.txt").write_text("new")
        assert content(tmp_path) == {"folder/sub/old.txt": "old"}

    def test_a_file_is_not_replaced(self, tmp_path):
        path = tmp_path / "file"
        path.write_text("precious")
        with pytest.raises(NotADirectoryError, match="file"), written_whole_folder(path):
            pass
        assert content(tmp_path) == {"file": "precious"}

    def test_of_two_writers_the_last_one_wins(self, tmp_path, old):
        with written_whole_folder(old) as first:
            (first / "a.txt").write_text("first")
            with written_whole_folder(old) as second:
                (second / "b.txt").write_text("second")
            assert content(old) == {"b.txt": "second"}
        assert content(tmp_path) == {"folder/a.txt": "first"}
        assert list(tmp_path.iterdir()) == [old]

    @not_on_windows
    def test_permissions_are_those_of_any_new_folder(self, tmp_path, umask):
        with written_whole_folder(tmp_path / "a"):
            pass
        (tmp_path / "b").mkdir()
        modes = {(tmp_path / name).stat().st_mode & 0o777 for name in "ab"}
        assert modes == {0o750}
