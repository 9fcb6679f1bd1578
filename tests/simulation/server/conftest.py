import pyarrow.parquet as pq
import pytest

from astro_paperclip.simulation import serve, write_archive


@pytest.fixture(scope="session")
def archive(tmp_path_factory):
    """Return the directory of a small simulated archive; tests only read it."""
    directory = tmp_path_factory.mktemp("archive")
    write_archive(directory, proposals=6, images_per_proposal=(3, 4), size=64, progress=False)
    return directory


@pytest.fixture(scope="session")
def observations(archive):
    """Return the archive's observations, as dictionaries."""
    return pq.read_table(archive / "observations.parquet").to_pylist()


@pytest.fixture(scope="session")
def combined(observations):
    """Return an observation through several filters."""
    return next(row for row in observations if ";" in row["filters"])


@pytest.fixture
def server(archive):
    """Return a server without faults."""
    with serve(archive) as server:
        yield server


@pytest.fixture
def connect():
    """Return a function that gives a new astroquery client of a server."""
    from astroquery.mast import ObservationsClass

    clients = []

    def connect(server):
        client = ObservationsClass()
        clients.append(client)
        # Newer versions would look for the files in the cloud first.
        client.disable_cloud_dataset()
        portal = client._portal_api_connection
        portal.MAST_REQUEST_URL = f"{server.url}/api/v0/invoke"
        portal.COLUMNS_CONFIG_URL = f"{server.url}/portal/Mashup/Mashup.asmx/columnsconfig"
        portal.MAST_DOWNLOAD_URL = f"{server.url}/api/v0.1/Download/file"
        # Otherwise shared by all clients.
        portal._column_configs = {}
        return client

    yield connect
    for client in clients:
        client._session.close()


@pytest.fixture
def session():
    """Return a session of requests."""
    import requests

    with requests.Session() as session:
        yield session
