import numpy as np
import open_clip.loss
import pytest
import torch
from torch.nn.functional import normalize

from astro_paperclip.exceptions import TrainingError
from astro_paperclip.training.finetuning.distributed import Processes
from astro_paperclip.training.finetuning.losses import (
    NOTHING,
    GroupClipLoss,
    GroupSigLipLoss,
    right_answers,
)

SCALE, BIAS = torch.tensor(7.0), torch.tensor(-3.0)
LOSSES = [GroupClipLoss, GroupSigLipLoss]
THEIRS = {GroupClipLoss: open_clip.loss.ClipLoss, GroupSigLipLoss: open_clip.loss.SigLipLoss}
# By proposal and by target: 0 and 3 share a proposal, 1 and 2 a target, and so do 3 and 4.
LABELS = torch.tensor([[5, 1], [6, 2], [7, 2], [5, 3], [8, 3], [NOTHING, NOTHING], [NOTHING, 9]])
TOGETHER = {(0, 3), (1, 2), (3, 4)}
every_loss = pytest.mark.parametrize("kind", LOSSES, ids=lambda kind: kind.__name__)


def is_right(row, column):
    return row == column or (row, column) in TOGETHER or (column, row) in TOGETHER


def features(count=7, dim=5, seed=0):
    """Return features of pictures and of texts, as double precision shows any difference."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(2, count, dim, generator=generator, dtype=torch.float64)
    return tuple(normalize(drawn, dim=-1))


def info_nce(logits):
    """Return the mean over rows of the mean over right answers of minus log probability."""
    losses = []
    for row, values in enumerate(logits):
        right = [column for column in range(len(values)) if is_right(row, column)]
        total = sum(np.exp(value) for value in values)
        losses.append(-np.mean([np.log(np.exp(values[column]) / total) for column in right]))
    return np.mean(losses)


def sigmoids(logits):
    """Return the sum over texts, mean over pictures, of minus log probability."""
    total = 0.0
    for row, values in enumerate(logits):
        for column, value in enumerate(values):
            sign = 1 if is_right(row, column) else -1
            total += np.log(1 + np.exp(-sign * value))
    return total / len(logits)


def test_clip_by_hand():
    images, texts = features()
    logits = (SCALE * images @ texts.T).numpy()
    expected = (info_nce(logits) + info_nce(logits.T)) / 2
    assert GroupClipLoss()(images, texts, SCALE, labels=LABELS).item() == pytest.approx(expected)
    # With a bias, as models for the sigmoid loss have it, it is the same.
    with_bias = GroupClipLoss()(images, texts, SCALE, BIAS, labels=LABELS)
    assert with_bias.item() == pytest.approx(expected)


def test_siglip_by_hand():
    images, texts = features()
    logits = (SCALE * images @ texts.T + BIAS).numpy()
    loss = GroupSigLipLoss()(images, texts, SCALE, BIAS, labels=LABELS)
    assert loss.item() == pytest.approx(sigmoids(logits))


@every_loss
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "labels",
    [
        None,
        torch.arange(6)[:, None],
        torch.stack([torch.arange(6), torch.arange(6) + 100], dim=1),
        torch.full((6, 3), NOTHING),
        torch.empty(6, 0, dtype=torch.int64),
    ],
    ids=["none", "all distinct", "two columns", "nothing", "no columns"],
)
def test_open_clip_where_nothing_belongs_together(kind, dtype, labels):
    parts = [part.to(dtype) for part in (*features(6), SCALE, BIAS)]
    ours, theirs = ([part.clone().requires_grad_() for part in parts] for _ in range(2))
    loss = kind()(*ours, labels=labels)
    expected = THEIRS[kind]()(*theirs)
    close = {"rtol": 4 * torch.finfo(dtype).eps, "atol": 4 * torch.finfo(dtype).eps}
    torch.testing.assert_close(loss, expected, **close)
    loss.backward()
    expected.backward()
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=0, atol=10 * close["atol"])


@every_loss
def test_labels_that_belong_together_change_the_loss(kind):
    images, texts = features()
    alone = kind()(images, texts, SCALE, BIAS)
    together = kind()(images, texts, SCALE, BIAS, labels=LABELS)
    assert abs(alone - together) > 1e-2


@every_loss
def test_the_order_of_pairs_is_of_no_matter(kind):
    images, texts = features()
    order = torch.tensor([4, 0, 6, 2, 5, 1, 3])
    loss = kind()(images, texts, SCALE, BIAS, labels=LABELS)
    shuffled = kind()(images[order], texts[order], SCALE, BIAS, labels=LABELS[order])
    torch.testing.assert_close(loss, shuffled)


@every_loss
def test_the_gradient_is_that_of_the_value(kind):
    parts = [part.double().detach().requires_grad_() for part in (*features(), SCALE, BIAS)]
    torch.autograd.gradcheck(lambda *given: kind()(*given, labels=LABELS), parts)


@every_loss
def test_a_dictionary_as_open_clip_returns(kind):
    images, texts = features()
    for labels in (None, LABELS):
        loss = kind()(images, texts, SCALE, BIAS, labels=labels)
        named = kind()(images, texts, SCALE, BIAS, output_dict=True, labels=labels)
        assert named == {"contrastive_loss": loss}


def test_twins_are_not_pushed_apart():
    """Two pictures with one caption: the best that can be is found, and stays."""
    apart = torch.eye(4, dtype=torch.float64)
    both = apart[[0, 0, 1, 2]].requires_grad_()
    scale = torch.tensor(50.0)
    groups = torch.tensor([[1], [1], [2], [3]])
    loss = GroupClipLoss()(both, both, scale, labels=groups)
    loss.backward()
    # Each of the twins has half of the probability, so that their loss is log 2.
    assert loss.item() == pytest.approx(np.log(2) / 2)
    assert both.grad.abs().max() < 1e-12


class TestRightAnswers:
    def test_of_one_process(self):
        right = right_answers(LABELS, torch.empty(7, 3), Processes())
        expected = [[is_right(row, column) for column in range(7)] for row in range(7)]
        assert right.tolist() == expected

    def test_nothing_is_right_without_labels_but_a_pair_itself(self):
        right = right_answers(None, torch.empty(2, 3), Processes(rank=1, world_size=3))
        assert right.int().tolist() == [[0, 0, 1, 0, 0, 0], [0, 0, 0, 1, 0, 0]]


class TestNonsense:
    @every_loss
    @pytest.mark.parametrize(
        ("labels", "message"),
        [
            (LABELS[:, 0], r"shape \(7, columns\).*torch.int64 of shape \(7,\)"),
            (LABELS[:5], r"a row for each pair, but they are torch.int64 of shape \(5, 2\)"),
            (LABELS.float(), r"must be int64.*torch.float32 of shape \(7, 2\)"),
        ],
        ids=["one column", "too few rows", "fractions"],
    )
    def test_labels(self, kind, labels, message):
        images, texts = features()
        with pytest.raises(TrainingError, match=message):
            kind()(images, texts, SCALE, BIAS, labels=labels)

    def test_a_sigmoid_loss_without_bias(self):
        with pytest.raises(TrainingError, match="needs a model with a logit_bias"):
            GroupSigLipLoss()(*features(), SCALE)
