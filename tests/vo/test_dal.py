"""Results that pyvo takes for those of an image service."""

import contextlib
import http.server
import threading

import pytest
from pyvo.dal import SIA2Results

from astro_paperclip import conf


@pytest.fixture
def found(result):
    return result.to_dal()


def test_records_are_those_of_an_image_search(found):
    assert isinstance(found, SIA2Results)
    assert found.status == ("OK", None)
    assert len(found) == 3
    record = found[0]
    assert record.getdataurl().endswith("uri=mast:HST/product/jbf801010_drz.fits")
    assert record.s_region.startswith("POLYGON ICRS ")
    assert record.obs_collection == "HST"
    assert record.em_min.to_value("nm") == pytest.approx(460)
    assert record.t_min.mjd == 55_400.5
    assert record.t_exptime.to_value("s") == 1720
    assert record["rank"] == 1
    assert record.getbyutype("obscore:Target.name") == "M-31"


def test_columns_are_found_by_what_they_mean(found):
    assert found.fieldname_with_utype("obscore:Access.reference") == "access_url"
    assert found.fieldname_with_ucd("meta.code.mime") == "access_format"
    assert found.to_qtable()["em_min"].unit == "m"


def test_the_name_that_a_table_is_listed_by_says_what_was_searched(found):
    assert found.queryurl == "/data/hubble"


def test_an_empty_result_is_an_empty_search(result):
    assert len(result[:0].to_dal()) == 0


def test_a_record_fetches_its_file(result, tmp_path):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "image/fits")
            self.send_header("Content-Length", "7")
            self.end_headers()
            self.wfile.write(b"SIMPLE!")

        def log_message(self, *args):
            pass

    asked = []
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with contextlib.ExitStack() as stack:
            stack.callback(server.shutdown)
            stack.enter_context(
                conf.set_temp("mast_server", f"http://127.0.0.1:{server.server_port}")
            )
            path = tmp_path / "file.fits"
            result.to_dal()[0].cachedataset(filename=str(path))
    assert path.read_bytes() == b"SIMPLE!"
    assert asked == ["/api/v0.1/Download/file?uri=mast:HST/product/jbf801010_drz.fits"]
