"""Tables of what people judged, in all forms that are read."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from astro_paperclip.evaluation import read_image_distances, read_votes
from astro_paperclip.exceptions import PairsError

NAMES = ["m51", "m101", "m13", "crab"]
DISTANCES = np.array(
    [[0, 0.2, 0.9, 0.7], [0.2, 0, 0.8, 0.6], [0.9, 0.8, 0, 0.5], [0.7, 0.6, 0.5, 0]]
)
EXPECTED = np.where(np.eye(4, dtype=bool), np.nan, DISTANCES)


def long_table(both=False):
    pairs = [(i, j) for i in range(4) for j in range(4) if (i != j if both else i < j)]
    rows = [(NAMES[i], NAMES[j], DISTANCES[i, j]) for i, j in pairs]
    return Table(rows=rows, names=("first", "second", "unlikeness"))


def square_table():
    table = Table({"cutout": NAMES})
    for number, name in enumerate(NAMES):
        table[name] = DISTANCES[:, number]
    return table


@pytest.mark.parametrize("suffix", ["csv", "ecsv", "parquet", "fits"])
@pytest.mark.parametrize("form", ["long", "both ways", "square"])
def test_tables(tmp_path, suffix, form):
    path = tmp_path / f"distances.{suffix}"
    table = square_table() if form == "square" else long_table(both=form == "both ways")
    if suffix == "parquet":
        from pyarrow import parquet
        from pyarrow import table as arrow_table

        parquet.write_table(arrow_table({n: table[n].tolist() for n in table.colnames}), path)
    else:
        table.write(path)
    people = read_image_distances(
        path, name_column="cutout", pair_columns=("first", "second", "unlikeness")
    )
    assert people.images == NAMES
    np.testing.assert_allclose(people.distances, EXPECTED)


@pytest.mark.parametrize("hdu", [None, 2, "DISTANCES"])
def test_fits_image(tmp_path, hdu):
    names = Table({"cutout": NAMES})
    parts = [fits.PrimaryHDU(), fits.ImageHDU(DISTANCES.astype(">f4"), name="DISTANCES")]
    if hdu is not None:
        parts.insert(1, fits.ImageHDU(np.zeros((2, 2))))
    fits.HDUList(parts).writeto(tmp_path / "distances.fits")
    names.write(tmp_path / "cutouts.fits")
    for given in (NAMES, tmp_path / "cutouts.fits", str(tmp_path / "cutouts.fits")):
        people = read_image_distances(
            tmp_path / "distances.fits", names=given, name_column="cutout", hdu=hdu
        )
        assert people.images == NAMES
        np.testing.assert_allclose(people.distances, EXPECTED, rtol=1e-6)


def test_similarities_turn_around(tmp_path):
    path = tmp_path / "similar.fits"
    fits.writeto(path, 1 - DISTANCES)
    people = read_image_distances(path, names=NAMES, similarity=True)
    order = np.argsort(people.distances, axis=1)  # NaN comes last
    np.testing.assert_array_equal(order, np.argsort(EXPECTED, axis=1))


def test_pairs_that_were_not_compared(tmp_path):
    path = tmp_path / "distances.csv"
    path.write_text("image_1,image_2,distance\na,b,0.5\nb,c,\n")
    people = read_image_distances(path)
    assert people.images == ["a", "b", "c"]
    known = np.argwhere(~np.isnan(people.distances)).tolist()
    assert known == [[0, 1], [1, 0]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("image_1,image_2,distance\na,b,0.5\nb,a,0.6\n", "'a' and 'b' depends on their order"),
        ("image_1,image_2,distance\na,b,0.5\na,b,0.5\n", "two rows give the distance"),
        ("image_1,image_2,distance\na,b,far\n", "distance.*far"),
        ("image_1,image_2,distance\na,b,\n", "no distance between two images"),
        ("image,a\na,0\nb,1\n", "no column for 1 of its rows, the first 'b'"),
        ("image,a\na,0\na,1\n", "of which 1 differ"),
        ("name,a\na,0\n", "column missing: image, or image_1, image_2, distance; it has name, a"),
    ],
)
def test_faulty_distances(tmp_path, content, message):
    path = tmp_path / "distances.csv"
    path.write_text(content)
    with pytest.raises(PairsError, match=message):
        read_image_distances(path)


def test_faulty_files(tmp_path):
    image = tmp_path / "image.fits"
    fits.writeto(image, DISTANCES)
    with pytest.raises(PairsError, match="rows have no names"):
        read_image_distances(image)
    with pytest.raises(PairsError, match="do not belong to 3 names"):
        read_image_distances(image, names=NAMES[:3])
    with pytest.raises(PairsError, match="column missing: image"):
        read_image_distances(image, names=image)
    with pytest.raises(PairsError, match="no such FITS data"):
        read_image_distances(image, names=NAMES, hdu="DISTANCES")
    with pytest.raises(PairsError, match="no such FITS data"):
        read_image_distances(tmp_path / "none.fits", names=NAMES)
    with pytest.raises(PairsError, match=r"none\.csv"):
        read_image_distances(tmp_path / "none.csv")
    with pytest.raises(PairsError, match=r"unknown suffix.*\.fits"):
        read_image_distances(tmp_path / "none.npy")
    (tmp_path / "empty.fits").write_bytes(b"")
    with pytest.raises(PairsError, match="no such FITS data"):
        read_image_distances(tmp_path / "empty.fits", names=NAMES)


def test_votes(tmp_path):
    path = tmp_path / "votes.csv"
    path.write_text("id,spiral_fraction,merger_fraction,extra\nJ1,0.9,0.1,x\nJ2,0.2,,y\n")
    wanted = {"merger_fraction": "merging galaxies", "spiral_fraction": "spiral galaxy"}
    votes = read_votes(path, wanted, image_column="id")
    assert votes.images == ["J1", "J2"]
    assert votes.queries == ["merging galaxies", "spiral galaxy"]
    np.testing.assert_array_equal(votes.fractions, [[0.1, np.nan], [0.9, 0.2]])
    table = Table({"id": ["J1"], "spiral_fraction": [0.5]})
    table.write(tmp_path / "votes.fits")
    votes = read_votes(tmp_path / "votes.fits", {"spiral_fraction": "spiral"}, image_column="id")
    assert (votes.images, votes.fractions.tolist()) == (["J1"], [[0.5]])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"ring": "ring"}, "column missing: ring"),
        ({}, "none was asked for"),
        ({"count": "spiral"}, "row 2: count is 7, which is no fraction"),
        ({"word": "spiral"}, "column word"),
    ],
)
def test_faulty_votes(tmp_path, columns, message):
    path = tmp_path / "votes.csv"
    path.write_text("image,count,word\na.png,1,few\nb.png,7,many\n")
    with pytest.raises(PairsError, match=message):
        read_votes(path, columns)
