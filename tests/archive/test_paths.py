import pytest

from astro_paperclip.archive.paths import safe_path
from astro_paperclip.exceptions import ArchiveError


def test_plain_names(tmp_path):
    path = safe_path(tmp_path, "15354", "hst_15354_01_acs_wfc_total_jdi601_drc.jpg")
    assert path == tmp_path / "15354" / "hst_15354_01_acs_wfc_total_jdi601_drc.jpg"
    assert safe_path(tmp_path, "J0534+2200 (crab)") == tmp_path / "J0534+2200 (crab)"


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "../a", "a/../b", "/etc/passwd", "a\\b", "C:a", "a\0.jpg", "a\nb"),
        *(".hidden", " a", "a ", "x" * 256, "a\u202egpj.exe", "a\ud800"),
    ],
)
def test_names_that_lead_elsewhere(tmp_path, name):
    with pytest.raises(ArchiveError, match="cannot be the name"):
        safe_path(tmp_path, name)
    with pytest.raises(ArchiveError, match="cannot be the name"):
        safe_path(tmp_path, "15354", name)
