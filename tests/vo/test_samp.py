"""Tables that other programs receive, at a hub that runs in this process."""

import pytest
from astropy.table import Table

from astro_paperclip import PaperclipResult
from astro_paperclip.exceptions import InvalidQueryError, SampError

samp = pytest.importorskip("pyvo.samp")
if not hasattr(samp, "SAMPHubServer"):
    pytest.skip("pyvo has a hub of its own from 1.9 on", allow_module_level=True)

# The hub's threads end after the test does.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

MTYPE = "table.load.votable"


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """Start a hub that nobody outside this process finds."""
    lockfile = tmp_path / "samp.lock"
    monkeypatch.setenv("SAMP_HUB", f"std-lockurl:{lockfile.as_uri()}")
    monkeypatch.setattr(samp.conf, "use_internet", False)
    hub = samp.SAMPHubServer(web_profile=False, lockfile=str(lockfile), addr="127.0.0.1")
    hub.start()
    yield hub
    hub.stop()


@pytest.fixture
def desk(hub):
    """Return a function that opens a program which reads tables, or refuses them."""
    programs = []

    def open_program(name, answer="samp.ok", mtype=MTYPE):
        client = samp.SAMPIntegratedClient(name=name, addr="127.0.0.1")
        client.connect()
        programs.append(client)
        received = []

        def receive(private_key, sender_id, msg_id, mtype, params, extra):
            path = params["url"].removeprefix("file://")
            received.append((params["name"], Table.read(path, format="votable")))
            reply = {"samp.status": answer, "samp.result": {}}
            if answer == "samp.error":
                reply["samp.error"] = {"samp.errortxt": "too many columns"}
            client.reply(msg_id, reply)

        client.bind_receive_call(mtype, receive)
        return received

    yield open_program
    for client in programs:
        client.disconnect()


def test_every_program_that_reads_tables_gets_the_table(result, desk):
    topcat, aladin = desk("topcat"), desk("Aladin")
    pictures = desk("ds9", mtype="image.load.fits")
    result.broadcast_samp()
    assert pictures == []
    for received in (topcat, aladin):
        ((name, table),) = received
        assert name == "spiral arms & dust"
        assert table["rank"].tolist() == [1, 2, 3]
        assert table["em_min"].unit == "nm"


def test_one_program_gets_the_table(result, desk):
    topcat, aladin = desk("topcat"), desk("Aladin")
    result.broadcast_samp("TOPCAT")
    assert (len(topcat), len(aladin)) == (1, 0)


def test_a_name_that_nobody_has_is_an_error(result, desk):
    desk("topcat")
    with pytest.raises(InvalidQueryError, match=r"named 'aladdin' .*, only topcat"):
        result.broadcast_samp("aladdin")


def test_nobody_to_listen_is_an_error(result, hub):
    with pytest.raises(SampError, match="No program at the SAMP hub reads tables"):
        result.broadcast_samp()


def test_a_program_that_cannot_read_the_table_says_why(result, desk):
    desk("picky", answer="samp.error")
    with pytest.raises(SampError, match="picky could not read the table: too many columns"):
        result.broadcast_samp()


def test_no_hub_is_an_error(result, tmp_path, monkeypatch):
    lockfile = tmp_path / "none.lock"
    monkeypatch.setenv("SAMP_HUB", f"std-lockurl:{lockfile.as_uri()}")
    with pytest.raises(SampError, match="No SAMP hub is running"):
        result.broadcast_samp()


def test_a_search_by_picture_has_a_name_too(desk):
    topcat = desk("topcat")
    PaperclipResult.from_hits([], query={"kind": "image", "image": "a.jpg"}).broadcast_samp()
    assert topcat[0][0] == "Ranked observations"
