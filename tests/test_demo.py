import pytest
from PIL import Image

from astro_paperclip.demo import QUESTIONS, run_demo
from astro_paperclip.exceptions import CollectionError


def test_the_whole_story(tmp_path):
    said = []
    report = run_demo(tmp_path / "demo", say=said.append, proposals=18, progress=False)
    assert list(report.results) == list(QUESTIONS)
    assert all(len(result) for result in report.results.values())
    with Image.open(report.gallery) as gallery:
        assert min(gallery.size) > 300
    story = "\n".join(said)
    assert "none of this is real" in story
    assert all(question in story for question in QUESTIONS)
    assert "18 of 18 proposals" in story.replace("proposals:    ", "")
    top_percent = report.metrics["protocols"]["grouped"]["image_to_text"]["top_percent"]
    assert 0 <= top_percent["10"] <= 1


def test_other_directories_are_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("...")
    with pytest.raises(CollectionError, match="something else"):
        run_demo(tmp_path, proposals=1, progress=False)
