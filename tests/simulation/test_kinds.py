"""Pictures of every kind of object."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from photutils.morphology import data_properties
from scipy import ndimage

from astro_paperclip.simulation import KINDS, render
from astro_paperclip.simulation.instrument import INSTRUMENTS, Exposure
from astro_paperclip.simulation.kinds import REGISTRY, draw_exposure, picture
from astro_paperclip.simulation.scene import Scene


def paint(kind, seed, size=128):
    """Return the noiseless scene of a kind."""
    scene = Scene(size, np.random.default_rng(seed))
    REGISTRY[kind].paint(scene)
    return scene


def test_there_are_the_kinds_that_were_promised():
    assert len(KINDS) == len(set(KINDS)) >= 16
    assert set(KINDS) == set(REGISTRY)


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_makes_a_picture(kind):
    first, again, other = render(kind, 7, 96), render(kind, 7, 96), render(kind, 8, 96)
    assert_array_equal(first, again)
    assert first.dtype == np.uint8
    assert first.shape[:2] == (96, 96)
    assert first.shape != other.shape or not np.array_equal(first, other)


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_are_exposed_well(kind):
    """Neither black nor burnt out inside of the footprint, and white outside."""
    for seed in range(3):
        preview = render(kind, seed, 96)
        grey = preview if preview.ndim == 2 else preview.mean(axis=-1)
        inside = grey < 255
        assert grey[~inside].size > 0.02 * grey.size
        assert np.percentile(grey[inside], 99.5) > 100
        assert np.percentile(grey[inside], 10) < 130


@pytest.mark.parametrize("size", [32, 100, 257])
def test_any_size(size):
    assert render("spiral galaxy", 0, size).shape[:2] == (size, size)


def test_unknown_kind():
    with pytest.raises(ValueError, match="'teapot'; there are: spiral galaxy"):
        render("teapot", 0)


def test_too_small():
    with pytest.raises(ValueError, match="size=31 is too small"):
        render("comet", 0, 31)


@pytest.mark.parametrize("kind", KINDS)
def test_exposures_suit_the_kind(kind):
    rng = np.random.default_rng(0)
    traits = REGISTRY[kind]
    for _ in range(40):
        exposure = draw_exposure(kind, rng)
        assert any(INSTRUMENTS[key] is exposure.instrument for key in traits.instruments)
        assert traits.seconds[0] - 0.1 <= exposure.seconds <= traits.seconds[1] + 0.1
        assert set(exposure.filters) <= set(exposure.instrument.filters)
        middles = [sum(exposure.instrument.filters[name]) for name in exposure.filters]
        assert middles == sorted(middles)
        assert not exposure.colour or len(exposure.filters) == 3


def test_the_same_sky_is_the_same_object():
    """Another visit differs by its noise only."""
    exposure = Exposure(INSTRUMENTS["ACS/WFC"], ("F606W",), roll=0.3)
    first, second, other = (
        picture(
            "spiral galaxy", exposure, np.random.default_rng(sky), np.random.default_rng(noise), 96
        ).astype(float)
        for sky, noise in ((1, 1), (1, 2), (2, 1))
    )
    inside = first < 255
    assert np.any(first != second)
    assert np.corrcoef(first[inside], second[inside])[0, 1] > 0.95
    assert np.corrcoef(first[inside], other[inside])[0, 1] < 0.9


def ellipticity(kind, seed):
    """Ellipticity of the target by the moments of its light."""
    scene = paint(kind, seed)
    light = ndimage.median_filter(scene.diffuse[1], 3)
    light = np.where(np.hypot(*scene.offsets()) < scene.reach, light, 0)
    light[light < 0.02] = 0
    labels, _ = ndimage.label(light > 0)
    centre = labels[labels.shape[0] // 2, labels.shape[1] // 2]
    return data_properties(np.where(labels == centre, light, 0)).ellipticity.value


def test_edge_on_galaxies_are_long_and_spirals_are_not():
    long = [ellipticity("edge-on galaxy", seed) for seed in range(8)]
    round_ = [ellipticity("spiral galaxy", seed) for seed in range(8)]
    assert np.median(long) > 0.6
    assert np.median(round_) < 0.4


def test_globular_clusters_are_concentrated_and_crowded_fields_are_not():
    for seed in range(3):
        shares = []
        for kind in ("globular cluster", "crowded field"):
            scene = paint(kind, seed)
            stars = np.minimum(scene.star_planes()[1], 5)
            near = np.hypot(*scene.offsets()) < 0.25
            shares.append(stars[near].mean() / stars.mean())
        assert shares[0] > 2.5
        assert shares[1] < 1.5


def test_elliptical_galaxies_are_symmetric_and_irregular_ones_are_not():
    """By the asymmetry of Conselice (2003, ApJS 147, 1)."""

    def asymmetry(kind, seed):
        light = paint(kind, seed).diffuse[1][32:96, 32:96]
        return np.abs(light - light[::-1, ::-1]).sum() / light.sum() / 2

    regular = [asymmetry("elliptical galaxy", seed) for seed in range(6)]
    irregular = [asymmetry("irregular galaxy", seed) for seed in range(6)]
    assert np.median(regular) < 0.15
    assert np.median(irregular) > 0.3


def test_a_disk_has_a_dark_lane_across_its_jets():
    """Along the jets' axis the brightness falls towards the star, between two lit sides."""
    for seed in range(6):
        scene = paint("protoplanetary disk", seed, 256)
        light = scene.diffuse[1]
        near = np.hypot(*scene.offsets()) < 0.03
        around = np.hypot(*scene.offsets()) < 0.25
        assert light[near].min() < 0.25 * light[around].max()


def test_planets_are_brightest_inside_and_dark_around():
    for seed in range(4):
        scene = paint("planet", seed)
        light, distance = scene.diffuse[1], np.hypot(*scene.offsets())
        assert light[distance < 0.15].mean() > 0.4
        assert np.median(light[distance > 0.85]) < 0.01


def test_a_comet_is_brightest_at_its_head_and_has_tails_to_one_side():
    for seed in range(4):
        scene = paint("comet", seed)
        light = scene.diffuse.sum(axis=0)
        row, column = np.unravel_index(light.argmax(), light.shape)
        dx, dy = scene.offsets((scene.x[row, column], scene.y[row, column]))
        ring = (np.hypot(dx, dy) > 0.4) & (np.hypot(dx, dy) < 0.6)
        angles = np.arctan2(dy, dx)[ring]
        direction = np.abs(np.mean(light[ring] * np.exp(1j * angles))) / light[ring].mean()
        assert direction > 0.5


def features(preview):
    """Crude numbers of a preview: grey levels, roughness on several scales, radial profile."""
    grey = preview if preview.ndim == 2 else preview.mean(axis=-1)
    inside = grey < 255
    light = np.where(inside, grey, 0) / 255
    weights = ndimage.gaussian_filter(inside.astype(float), 1.0)
    values = [*np.percentile(light[inside], [5, 25, 50, 75, 90, 97])]
    for sigma in (0.7, 1.5, 3.0, 6.0):
        band = ndimage.gaussian_filter(light, sigma) - ndimage.gaussian_filter(light, 2 * sigma)
        core = weights > 0.99
        values += [band[core].std(), np.mean(np.maximum(band[core], 0) ** 3) ** (1 / 3)]
    rows, columns = np.indices(light.shape)
    middle = [(rows * inside).sum() / inside.sum(), (columns * inside).sum() / inside.sum()]
    distance = np.hypot(rows - middle[0], columns - middle[1]) / len(light)
    edges = np.linspace(0, 0.4, 7)
    for low, high in pairwise(edges):
        ring = inside & (distance >= low) & (distance < high)
        values.append(light[ring].mean() if ring.any() else 0)
    return values


def test_kinds_can_be_told_apart():
    """A nearest-centroid classifier on crude numbers does far better than chance (0.06)."""
    known = np.array([[features(render(kind, s, 96)) for s in range(8)] for kind in KINDS])
    asked = np.array([[features(render(kind, s, 96)) for s in range(100, 104)] for kind in KINDS])
    scale = known.reshape(-1, known.shape[-1]).std(axis=0)
    centroids = known.mean(axis=1) / scale
    distances = np.linalg.norm(asked[:, :, None] / scale - centroids, axis=-1)
    right = distances.argmin(axis=-1) == np.arange(len(KINDS))[:, None]
    assert right.mean() > 0.5
