import copy

import numpy as np
import pytest
import torch
from torch import nn

from astro_paperclip.encoders.towers import ResidualProjection, Towers
from astro_paperclip.exceptions import TrainingError
from astro_paperclip.training import HeadRecipe
from astro_paperclip.training.head.captions import CaptionMixture
from astro_paperclip.training.head.fitting import TowerFeatures, fit_heads

WIDTH_OF_IMAGES, WIDTH_OF_TEXTS, DIM = 24, 20, 16
quiet = {"progress": False}


def perceptron(width):
    return nn.Sequential(nn.Linear(width, 64), nn.GELU(), nn.Linear(64, DIM))


def make_towers(seed=0):
    """Return towers whose backbones have weights of their own, which training must not touch."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Towers(
            nn.Linear(4, WIDTH_OF_IMAGES),
            perceptron(WIDTH_OF_IMAGES),
            nn.Linear(4, WIDTH_OF_TEXTS),
            perceptron(WIDTH_OF_TEXTS),
        )


def one_caption_each(n_groups):
    """Return captions of which group n has number n, whatever is drawn."""
    numbers = np.arange(n_groups)
    parts = [np.array([number]) for number in numbers]
    return CaptionMixture([f"caption {n}" for n in numbers], numbers, numbers, parts)


class World:
    """Groups that both towers see, each through a linear map of its own and some noise."""

    def __init__(self, n_groups=300, n_views=4, seed=0):
        rng = np.random.default_rng(seed)
        causes = rng.normal(size=(n_groups, 6))
        to_images = rng.normal(size=(6, WIDTH_OF_IMAGES))
        to_texts = rng.normal(size=(6, WIDTH_OF_TEXTS))
        images = (causes @ to_images)[:, None] + 5
        self.images = images + 0.3 * rng.normal(size=(n_groups, n_views, WIDTH_OF_IMAGES))
        self.texts = causes @ to_texts + 0.3 * rng.normal(size=(n_groups, WIDTH_OF_TEXTS))

    def features(self, groups):
        """Return some of the groups as training sees them."""
        return TowerFeatures(
            self.images[groups].astype(np.float16),
            self.texts[groups].astype(np.float16),
            one_caption_each(len(groups)),
            groups.astype(str),
        )

    @torch.no_grad()
    def top1(self, towers, groups):
        """Return how often a picture finds its own text among those of these groups."""
        pictures = torch.tensor(self.images[groups, 0], dtype=torch.float32)
        texts = torch.tensor(self.texts[groups], dtype=torch.float32)
        pictures = nn.functional.normalize(towers.image_head(pictures), dim=-1)
        texts = nn.functional.normalize(towers.text_head(texts), dim=-1)
        nearest = (pictures @ texts.T).argmax(dim=1)
        return (nearest == torch.arange(len(groups))).float().mean().item()


TRAINING, HELD_OUT = np.arange(240), np.arange(240, 300)
SHORT = HeadRecipe(images_seen=64 * 150)


@pytest.fixture(scope="module")
def world():
    """A world in which what was learned holds for groups that were not seen."""
    return World()


@pytest.fixture(scope="module")
def fitted(world):
    """Towers before and after training, and the outcome."""
    before = make_towers()
    towers = copy.deepcopy(before)
    return before, towers, fit_heads(towers, world.features(TRAINING), SHORT, **quiet)


def test_held_out_groups_are_found(world, fitted):
    before, towers, outcome = fitted
    assert world.top1(before, HELD_OUT) < 0.2
    assert world.top1(towers, HELD_OUT) > 0.8
    assert world.top1(towers, TRAINING) > 0.7
    # In a batch some features are left out, so that less is found.
    assert 0.3 < outcome["accuracy"] <= 1


def test_outcome_counts(fitted):
    outcome = fitted[2]
    assert (outcome["steps"], outcome["batch_size"], outcome["images_seen"]) == (150, 64, 9600)


def test_backbones_are_not_touched(fitted):
    before, towers, _ = fitted
    for name in ("image_backbone", "text_backbone"):
        for tensor, after in zip(
            getattr(before, name).parameters(), getattr(towers, name).parameters(), strict=True
        ):
            assert torch.equal(tensor, after)


@pytest.mark.parametrize(("seed", "is_same"), [(0, True), (1, False)])
def test_same_seed_same_weights(world, seed, is_same):
    recipe = [HeadRecipe(images_seen=64 * 5, seed=number) for number in (0, seed)]
    fits = []
    for one, disturbance in zip(recipe, (11, 22), strict=True):
        towers = make_towers()
        torch.manual_seed(disturbance)
        fit_heads(towers, world.features(TRAINING), one, **quiet)
        fits.append([*towers.image_head.parameters(), *towers.text_head.parameters()])
    assert all(map(torch.equal, *fits)) == is_same


def test_the_random_state_outside_is_left_alone(world):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    recipe = HeadRecipe(images_seen=64 * 2)
    fit_heads(make_towers(), world.features(TRAINING), recipe, **quiet)
    assert torch.equal(torch.rand(3), expected)


def test_the_loss_is_symmetric_info_nce(world):
    """In a step over all groups, chance has no part; the projections begin as the identity."""
    groups = np.arange(40)
    rng = np.random.default_rng(0)
    images = rng.normal(size=(40, 1, DIM)).astype(np.float16)
    texts = (images[:, 0] + rng.normal(size=(40, DIM))).astype(np.float16)
    towers = Towers(nn.Identity(), ResidualProjection(DIM), nn.Identity(), ResidualProjection(DIM))
    recipe = HeadRecipe(
        images_seen=40, batch_size=40, temperature=0.1, image_dropout=0, text_dropout=0
    )
    features = TowerFeatures(images, texts, one_caption_each(40), groups.astype(str))
    outcome = fit_heads(towers, features, recipe, **quiet)

    pictures, words = images[:, 0].astype(float), texts.astype(float)
    pictures /= np.linalg.norm(pictures, axis=1, keepdims=True)
    words /= np.linalg.norm(words, axis=1, keepdims=True)
    logits = pictures @ words.T / 0.1
    own = np.diag(logits)
    to_texts = np.log(np.exp(logits).sum(axis=1)) - own
    to_images = np.log(np.exp(logits).sum(axis=0)) - own
    assert outcome["steps"] == 1
    assert outcome["loss"] == pytest.approx((to_texts.mean() + to_images.mean()) / 2, rel=1e-4)
    assert outcome["accuracy"] == pytest.approx((logits.argmax(axis=1) == groups).mean())
    # The two directions differ, so that one alone would have been noticed.
    assert abs(to_texts.mean() - to_images.mean()) > 1e-3


def test_a_text_projection_can_be_kept(world):
    towers = make_towers()
    before = copy.deepcopy(towers.text_head)
    features = world.features(TRAINING)
    fit_heads(towers, features, HeadRecipe(images_seen=64 * 3, text_rate=0), **quiet)
    # Its first layer takes over that features are standardized for training.
    texts = torch.tensor(features.texts.astype(np.float32))
    standard = (texts - texts.mean(0)) / texts.std(0)
    torch.testing.assert_close(towers.text_head(texts), before(standard), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("which", ["images", "texts"])
def test_features_that_are_no_numbers(world, which):
    features = world.features(TRAINING)
    getattr(features, which)[7] = np.nan
    with pytest.raises(TrainingError, match=r"nan in step 0"):
        fit_heads(make_towers(), features, SHORT, **quiet)


def test_a_rate_that_is_too_high_is_named(world):
    recipe = HeadRecipe(images_seen=64 * 50, learning_rate=1e30)
    with pytest.raises(TrainingError, match=r"step \d+: lower the learning rate \(1e\+30\)"):
        fit_heads(make_towers(), world.features(TRAINING), recipe, **quiet)


def test_fewer_groups_than_a_batch(world):
    recipe = HeadRecipe(images_seen=100)
    outcome = fit_heads(make_towers(), world.features(np.arange(5)), recipe, **quiet)
    assert (outcome["batch_size"], outcome["steps"]) == (5, 20)
