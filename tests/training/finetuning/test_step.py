import copy
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from open_clip import CLIP
from torch import distributed as dist
from torch import nn
from torch.nn.functional import dropout
from torch.nn.parallel import DistributedDataParallel

from astro_paperclip.exceptions import TrainingError
from astro_paperclip.training.finetuning.losses import GroupClipLoss, GroupSigLipLoss
from astro_paperclip.training.finetuning.step import training_step

PAIRS = 7
LOSSES = [GroupClipLoss(), GroupSigLipLoss()]
every_loss = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: type(loss).__name__)
half = partial(torch.autocast, "cpu", torch.bfloat16)


@pytest.fixture
def model():
    """A small CLIP in double precision, with a bias for the sigmoid loss."""
    vision = {"image_size": 8, "patch_size": 4, "layers": 1, "width": 16, "head_width": 8}
    text = {"context_length": 6, "vocab_size": 30, "width": 16, "heads": 2, "layers": 1}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return CLIP(8, vision, text, init_logit_bias=-2.0, output_dict=True).double()


@pytest.fixture
def batch():
    """Pairs of which the first and the fourth, and the last two, belong together."""
    generator = torch.Generator().manual_seed(1)
    return SimpleNamespace(
        pixels=torch.randn(PAIRS, 3, 8, 8, generator=generator, dtype=torch.float64),
        tokens=torch.randint(1, 30, (PAIRS, 6), generator=generator),
        labels=torch.tensor([[0, 10], [1, 11], [2, 12], [0, 13], [4, 14], [5, 16], [6, 16]]),
    )


@pytest.fixture
def in_single(model, batch):
    """The same in single precision."""
    return model.float(), SimpleNamespace(**vars(batch) | {"pixels": batch.pixels.float()})


def gradients(model):
    """Return the gradients of all parameters, and forget them."""
    found = {name: parameter.grad for name, parameter in model.named_parameters()}
    model.zero_grad()
    return found


class Noisy(nn.Module):
    """A model that leaves out pixels and features at random."""

    def __init__(self, base):
        super().__init__()
        self.base = base

    def forward(self, pixels, tokens):
        output = self.base(dropout(pixels, 0.3), tokens)
        return output | {"text_features": dropout(output["text_features"], 0.3)}


def check_parts_draw_the_same_twice(model, batch, loss):
    """Compare parts with their features side by side in one graph, drawn once."""
    noisy = Noisy(model)
    device = batch.pixels.device
    torch.manual_seed(3)
    report = training_step(noisy, loss, batch, micro_batches=3)
    found = gradients(model)
    after = torch.rand(2), torch.rand(2, device=device)

    torch.manual_seed(3)
    parts = zip(batch.pixels.tensor_split(3), batch.tokens.tensor_split(3), strict=True)
    outputs = [noisy(*part) for part in parts]
    whole = outputs[0] | {
        name: torch.cat([output[name] for output in outputs])
        for name in ("image_features", "text_features")
    }
    expected = loss(**whole, labels=batch.labels)
    expected.backward()
    torch.testing.assert_close(report["loss"], expected.detach())
    torch.testing.assert_close(found, gradients(model), rtol=0, atol=1e-12)
    # What is drawn next is what would have been.
    assert torch.equal(torch.rand(2), after[0])
    assert torch.equal(torch.rand(2, device=device), after[1])


class TestOnePart:
    @every_loss
    @pytest.mark.parametrize("with_labels", [False, True])
    def test_gradient_is_that_of_the_loss(self, model, batch, loss, with_labels):
        labels = batch.labels if with_labels else None
        report = training_step(model, loss, SimpleNamespace(**vars(batch) | {"labels": labels}))
        found = gradients(model)
        expected = loss(**model(batch.pixels, batch.tokens), labels=labels)
        expected.backward()
        assert torch.equal(report["loss"], expected)
        torch.testing.assert_close(found, gradients(model), rtol=0, atol=0)

    def test_report_holds_no_graph(self, model, batch):
        report = training_step(model, LOSSES[0], batch)
        assert set(report) == {"loss", "accuracy"}
        assert not any(value.requires_grad or value.ndim for value in report.values())

    def test_gradients_add_up(self, model, batch):
        for micro_batches in (1, 3):
            training_step(model, LOSSES[0], batch, micro_batches=micro_batches)
            once = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
            training_step(model, LOSSES[0], batch, micro_batches=micro_batches)
            for name, gradient in gradients(model).items():
                torch.testing.assert_close(gradient, 2 * once[name])

    def test_a_few_steps_learn_the_pairs(self, model, batch):
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        reports = []
        for _ in range(40):
            optimizer.zero_grad()
            reports.append(training_step(model, LOSSES[0], batch))
            optimizer.step()
        assert reports[0]["accuracy"] < 0.6
        assert reports[-1]["loss"] < 0.5 * reports[0]["loss"]
        assert reports[-1]["accuracy"] == 1


class TestParts:
    @every_loss
    @pytest.mark.parametrize("micro_batches", [2, 3, PAIRS])
    def test_are_as_good_as_the_whole(self, model, batch, loss, micro_batches):
        whole = training_step(model, loss, batch)
        expected = gradients(model)
        parts = training_step(model, loss, batch, micro_batches=micro_batches)
        torch.testing.assert_close(parts, whole)
        found = gradients(model)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)

    @every_loss
    def test_are_as_good_as_the_whole_in_single_precision(self, in_single, loss):
        model, batch = in_single
        found = []
        for micro_batches in (1, 3):
            training_step(model, loss, batch, micro_batches=micro_batches)
            found.append(torch.cat([g.flatten() for g in gradients(model).values()]))
        assert (found[1] - found[0]).norm() < 2e-6 * found[0].norm()

    @every_loss
    def test_draw_the_same_at_random_twice(self, model, batch, loss):
        check_parts_draw_the_same_twice(model, batch, loss)

    def test_never_hold_more_than_one_part(self, model, batch):
        seen = []
        model.register_forward_hook(
            lambda _model, inputs, output: seen.append(
                (len(inputs[0]), output["image_features"].requires_grad)
            )
        )
        training_step(model, LOSSES[0], batch, micro_batches=3)
        assert seen == [(3, False), (2, False), (2, False), (3, True), (2, True), (2, True)]

    def test_count_once_in_running_statistics(self, model, batch):
        model.visual.conv1 = nn.Sequential(nn.BatchNorm2d(3).double(), model.visual.conv1)
        norm = model.visual.conv1[0]
        expected = copy.deepcopy(norm)
        for part in batch.pixels.tensor_split(2):
            expected(part)
        training_step(model, LOSSES[0], batch, micro_batches=2)
        assert norm.num_batches_tracked == 2
        torch.testing.assert_close(norm.running_mean, expected.running_mean)
        torch.testing.assert_close(norm.running_var, expected.running_var)

    @pytest.mark.parametrize("frozen", ["visual", "transformer", "logit_scale"])
    def test_may_have_frozen_parameters(self, model, batch, frozen):
        getattr(model, frozen).requires_grad_(False)
        training_step(model, LOSSES[0], batch)
        expected = gradients(model)
        training_step(model, LOSSES[0], batch, micro_batches=2)
        found = gradients(model)
        assert any(gradient is None for gradient in expected.values())
        for name, gradient in expected.items():
            torch.testing.assert_close(found[name], gradient, rtol=0, atol=1e-12)


class TestAccuracy:
    @pytest.mark.parametrize("micro_batches", [1, 2])
    @pytest.mark.parametrize(
        ("labels", "expected"),
        [
            # Pictures 0 to 3 are nearest to the texts 0, 2, 1, 0.
            (None, 0.25),
            ([[0], [1], [1], [2]], 0.75),
            ([[0, 7], [1, 8], [1, 9], [2, 7]], 1.0),
        ],
    )
    def test_any_right_answer_counts(self, micro_batches, labels, expected):
        texts = torch.eye(4)

        class Known(nn.Module):
            def forward(self, pixels, tokens):
                scale = torch.ones((), requires_grad=True)
                known = {"image_features": pixels, "text_features": texts[tokens]}
                return known | {"logit_scale": scale}

        known = SimpleNamespace(
            pixels=texts[[0, 2, 1, 0]],
            tokens=torch.arange(4),
            labels=None if labels is None else torch.tensor(labels),
        )
        report = training_step(Known(), LOSSES[0], known, micro_batches=micro_batches)
        assert report["accuracy"] == expected


class TestHalfPrecision:
    @pytest.mark.parametrize("micro_batches", [1, 3])
    def test_the_loss_is_in_single(self, in_single, micro_batches):
        model, batch = in_single
        seen = {}

        class Spy(GroupClipLoss):
            def forward(self, **given):
                seen.update({name: value.dtype for name, value in given.items()})
                seen["autocast"] = torch.is_autocast_enabled("cpu")
                return super().forward(**given)

        training_step(model, Spy(), batch, micro_batches=micro_batches, autocast=half)
        features = {"image_features", "text_features", "logit_scale", "logit_bias"}
        assert {seen[name] for name in features} == {torch.float32}
        assert seen["labels"] == torch.int64
        assert not seen["autocast"]
        assert {gradient.dtype for gradient in gradients(model).values()} == {torch.float32}

    @every_loss
    def test_parts_are_as_good_as_the_whole(self, in_single, loss):
        model, batch = in_single
        exact = training_step(model, loss, batch)
        model.zero_grad()
        whole = training_step(model, loss, batch, autocast=half)
        expected = gradients(model)
        parts = training_step(model, loss, batch, autocast=half, micro_batches=2)
        found = gradients(model)
        # Half precision was used, and the parts differ from the whole by its rounding alone.
        assert whole["loss"] != exact["loss"]
        torch.testing.assert_close(whole["loss"], exact["loss"], rtol=0.02, atol=0)
        torch.testing.assert_close(parts["loss"], whole["loss"], rtol=1e-3, atol=0)
        for name, gradient in expected.items():
            assert (found[name] - gradient).norm() <= 0.02 * gradient.norm() + 1e-3, name


class TestNonsense:
    @pytest.mark.parametrize("micro_batches", [0, -1, PAIRS + 1])
    def test_number_of_parts(self, model, batch, micro_batches):
        with pytest.raises(TrainingError, match=rf"micro_batches is {micro_batches}, but the 7"):
            training_step(model, LOSSES[0], batch, micro_batches=micro_batches)

    def test_a_model_that_returns_a_tuple(self, model, batch):
        model.output_dict = False
        with pytest.raises(TrainingError, match=r"CLIP returns a tuple.*output_dict=True"):
            training_step(model, LOSSES[0], batch)


@pytest.fixture
def nccl():
    """A group of one process that talks by NCCL."""
    store = dist.TCPStore("127.0.0.1", 0, is_master=True)
    device = torch.device("cuda", 0)
    dist.init_process_group("nccl", store=store, rank=0, world_size=1, device_id=device)
    yield device
    dist.destroy_process_group()


@pytest.mark.gpu
class TestGpu:
    @every_loss
    @pytest.mark.parametrize("micro_batches", [1, 3])
    def test_half_precision_in_a_group(self, in_single, nccl, loss, micro_batches):
        model, batch = in_single
        expected = training_step(model, loss, batch)
        exact = {name: gradient.clone() for name, gradient in gradients(model).items()}
        wrapped = DistributedDataParallel(model.to(nccl), device_ids=[nccl.index])
        on_gpu = SimpleNamespace(
            pixels=batch.pixels.to(nccl, memory_format=torch.channels_last),
            tokens=batch.tokens.to(nccl),
            labels=batch.labels.to(nccl),
        )
        autocast = partial(torch.autocast, "cuda", torch.bfloat16)
        report = training_step(
            wrapped, loss, on_gpu, micro_batches=micro_batches, autocast=autocast
        )
        assert report["loss"].device == nccl
        assert report["loss"].item() == pytest.approx(expected["loss"].item(), rel=0.02)
        for name, gradient in gradients(model).items():
            difference = (gradient.cpu() - exact[name]).norm()
            assert difference <= 0.1 * exact[name].norm() + 1e-3, name

    def test_parts_draw_the_same_at_random_twice(self, model, batch):
        on_gpu = SimpleNamespace(**{k: value.cuda() for k, value in vars(batch).items()})
        check_parts_draw_the_same_twice(model.cuda(), on_gpu, LOSSES[0])
