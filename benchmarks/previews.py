"""Previews from a slow server: ``download_previews`` against astroquery's own download.

    python benchmarks/previews.py --previews 1000 --latency 50

The same files come from the simulated archive, which runs in a process of its own and waits
before each answer. astroquery fetches them one by one, without a check of what it got.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from astropy.table import Table
from astroquery.mast import ObservationsClass

from astro_paperclip.archive import Mast, download_previews, read_table, select_previews
from astro_paperclip.config import conf
from astro_paperclip.simulation import write_archive

PER_PROPOSAL = 5

SERVER = """
import sys
from astro_paperclip.simulation import serve
with serve(sys.argv[1], latency=float(sys.argv[2]) / 1000) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""


@contextmanager
def server(archive: Path, latency: float) -> Iterator[str]:
    """Serve an archive from another process."""
    command = [sys.executable, "-c", SERVER, str(archive), str(latency)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process.stdout.readline().strip()
        process.stdin.close()


def with_astroquery(selected: Table, url: str, folder: Path) -> float:
    """Return the time [s] that astroquery takes."""
    client = ObservationsClass()
    client._portal_api_connection.MAST_DOWNLOAD_URL = f"{url}/api/v0.1/Download/file"
    products = selected["obs_collection", "obs_id", "productFilename", "size"].copy()
    products["dataURI"] = selected["preview"]
    start = time.perf_counter()
    manifest = client.download_products(products, download_dir=str(folder), verbose=False)
    elapsed = time.perf_counter() - start
    assert set(manifest["Status"]) == {"COMPLETE"}
    assert len(manifest) == len(selected)
    return elapsed


def with_previews(selected: Table, url: str, folder: Path, max_conn: int) -> float:
    """Return the time [s] that this package takes, with its checks and its records."""
    start = time.perf_counter()
    table = download_previews(selected, folder, mast=Mast(url), max_conn=max_conn, progress=False)
    elapsed = time.perf_counter() - start
    assert set(table["status"]) == {"complete"}
    return elapsed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--previews", type=int, default=1000)
    parser.add_argument("--latency", type=float, default=50, help="before each answer [ms]")
    parser.add_argument("--size", type=int, default=256, help="side of a preview [pixel]")
    parser.add_argument("--connections", type=int, nargs="+", default=[conf.max_conn])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        write_archive(
            folder / "archive",
            proposals=-(-args.previews // PER_PROPOSAL),
            images_per_proposal=(PER_PROPOSAL, PER_PROPOSAL),
            size=args.size,
        )
        observations = read_table(folder / "archive" / "observations.parquet")
        selected = select_previews(observations)[: args.previews]
        with server(folder / "archive", args.latency) as url:
            theirs = with_astroquery(selected, url, folder / "astroquery")
            print(f"{len(selected)} previews, {args.latency:.0f} ms before each answer")
            print(f"Observations.download_products: {theirs:.1f} s")
            for number in args.connections:
                ours = with_previews(selected, url, folder / f"collection-{number}", number)
                print(
                    f"download_previews, {number} connections: {ours:.1f} s, "
                    f"{theirs / ours:.1f} times as fast"
                )
            start = time.perf_counter()
            with_previews(selected, url, folder / f"collection-{args.connections[0]}", 1)
            print(f"again, with all of them there: {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
