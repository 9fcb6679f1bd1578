"""Memory, disk, time and cost of large collections on a server, worked out from what was measured.

    $ python benchmarks/sizing.py

prints the table of ``docs/user_guide/sizing.rst``, which says what each figure means. Nothing is
measured here: what was, and by what, stands beside the constants.
"""

import argparse
import math

from astro_paperclip.index import Profile

BYTES = {"float32": 4, "float16": 2}

# Measured with Qdrant Edge 0.9.0 on two cores and 24 GiB, in one thread, with a million clustered
# vectors of 512 components and synthetic rows.
ROW = 692
"""Bytes on disk of a row, its indexes and its id: 2,740 MB less 2,048 MB of vectors."""
GRAPH = 397
"""Bytes of a vector's links, with those of one column: 3,137 MB with a graph less 2,740 MB."""
BUILDING = 4.4e9
"""Bytes of memory, besides mapped files, while the graph of a million vectors was built."""
EXACT = 82e-3
"""Seconds to compare a query with a million vectors."""
GRAPH_SEARCH = {200_000: 2.8e-3, 1_000_000: 5.3e-3}
"""Seconds of a search of the graph, by the number of vectors."""
BUILT = 742
"""Vectors that enter a graph in a second on one core: a million in 1,348 s."""
LINKED = 4
"""How much longer building took with links of five columns than with those of one: at 200,000
vectors 440 s instead of 110 to 170 s, which is 2.6 to 4 times as long."""

# From Qdrant's page about 400 million vectors (documentation/tutorials-operations/
# large-scale-search), and from its page about capacity planning.
IDS = 31 + 8
"""Bytes of memory of an id: 12.4 GB for 400 million numbers, and 8 more for a UUID."""
LOADED = 5_000
"""Vectors that are stored in a second."""
ROOM = 1.5
"""Disk to have, by disk that is used: segments are written anew before old ones are removed."""

# Assumed.
INDEXED = 120
"""Bytes of memory of a row's indexes: eight columns of some 15 bytes."""
USED = 0.8
"""Part of a node's memory that may be used."""
CORES = 16
"""Cores of a node."""
PRICE = {"memory": 5.0, "disk": 0.10}
"""US dollars a month for a GiB of memory with the cores beside it, and for a GB of SSD."""

NODE_SIZES = (8, 16, 32, 64, 96, 128, 192, 256, 384, 512)
"""Memory [GiB] that machines come with."""
SCALES = (
    (1_000_000, "workstation", 1),
    (10_000_000, "workstation", 1),
    (100_000_000, "cluster", 3),
    (1_000_000_000, "cluster", 12),
)
"""Vectors, profile and nodes of each row."""


def memory(count, profile, dimension):
    """Return the memory [bytes] that one copy is searched in."""
    vectors = BYTES[profile.datatype] * dimension * (not profile.vectors_on_disk)
    quantized = dimension * (profile.quantization == "int8")
    return count * (vectors + quantized + GRAPH * bool(profile.m) + IDS + INDEXED)


def disk(count, profile, dimension):
    """Return the disk [bytes] that one copy takes."""
    quantized = dimension * (profile.quantization == "int8")
    vectors = BYTES[profile.datatype] * dimension
    return count * (vectors + quantized + GRAPH * bool(profile.m) + ROW)


def graph_search(count):
    """Return the time [s] of a search of the graph, which grows with the logarithm of its size."""
    (small, fast), (large, slow) = GRAPH_SEARCH.items()
    growth = (slow - fast) / math.log(large / small)
    return slow + growth * math.log(count / large)


def row(count, profile, nodes, dimension):
    """Return what a collection takes, by the heading of its column."""
    copies = profile.replication_factor
    used = copies * memory(count, profile, dimension) / nodes + BUILDING
    size = next((size for size in NODE_SIZES if size * 2**30 * USED >= used), math.nan)
    space = ROOM * copies * disk(count, profile, dimension) / nodes
    dollars = nodes * (size * PRICE["memory"] + space / 1e9 * PRICE["disk"])
    building = LINKED * copies * count / (BUILT * CORES * nodes)
    return {
        "vectors": f"{count:,}",
        "profile": profile.name,
        "nodes": nodes,
        "memory, one copy [GB]": f"{memory(count, profile, dimension) / 1e9:.1f}",
        "disk, one copy [GB]": f"{disk(count, profile, dimension) / 1e9:.1f}",
        "memory of a node [GiB]": size,
        "disk of a node [GB]": f"{space / 1e9:.0f}",
        "loading [h]": f"{count / LOADED / 3600:.1f}",
        "building [h]": f"{building / 3600:.1f}",
        "exact search, one core [s]": f"{EXACT * count / 1e6:.2g}",
        "graph search [ms]": f"{graph_search(count) * 1e3:.0f}",
        "USD a month": f"{dollars:,.0f}",
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--dimension", type=int, default=512)
    args = parser.parse_args()
    rows = [row(count, Profile.named(name), nodes, args.dimension) for count, name, nodes in SCALES]
    for heading in rows[0]:
        cells = "".join(f"{one[heading]:>16}" for one in rows)
        print(f"{heading:<28}{cells}")


if __name__ == "__main__":
    main()
