"""One step: forward, loss and backward, in one piece or in several."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

import torch
from torch import nn

from astro_paperclip.exceptions import TrainingError
from astro_paperclip.training.finetuning.distributed import Processes, gather_rows
from astro_paperclip.training.finetuning.losses import right_answers

if TYPE_CHECKING:
    from astro_paperclip.training.finetuning.loader import Batch

__all__ = ["training_step"]

_FEATURES = ("image_features", "text_features")
"""What a model says of each pair."""

_PARAMETERS = ("logit_scale", "logit_bias")
"""What a model says once for all pairs; only those made for the sigmoid loss have a bias."""

_Output = dict[str, torch.Tensor]


def training_step(
    model: nn.Module,
    loss: nn.Module,
    batch: "Batch",
    *,
    micro_batches: int = 1,
    autocast: Callable[[], AbstractContextManager] = nullcontext,
) -> dict[str, torch.Tensor]:
    """Add the gradient of a batch's loss to ``.grad`` of the model's parameters.

    Parameters
    ----------
    model : `torch.nn.Module`
        Called as ``model(pixels, tokens)``, returns a dictionary with ``image_features`` and
        ``text_features``, shape (n, d), ``logit_scale`` and maybe ``logit_bias``, as open_clip
        models do with ``output_dict=True``. May be wrapped in ``DistributedDataParallel``.
    loss : `torch.nn.Module`
        `~astro_paperclip.training.finetuning.losses.GroupClipLoss` or
        `~astro_paperclip.training.finetuning.losses.GroupSigLipLoss`.
    batch : Batch
        This process's share of the pairs; ``labels`` may be None.
    micro_batches : int
        Parts that the batch is computed in; memory is needed for one part at a time. The
        gradient is that of the whole batch all the same, but every part is computed twice
        (GradCache, arXiv:2101.06983). Layers that mix the pairs of a batch, as batch
        normalisation does, mix those of a part.
    autocast : callable
        Returns the context that the model runs in. The loss is computed outside of it, in
        float32 at least.

    Returns
    -------
    report : dict
        Without gradient, on the model's device, of this process's share of the batch: ``loss``,
        and ``accuracy``, how often the text nearest to a picture, among those of all processes,
        is a right answer.

    Raises
    ------
    TrainingError
        If the batch cannot be divided into so many parts, the model returns no dictionary, or
        the loss does not fit the model or the labels.
    """
    if not 1 <= micro_batches <= len(batch.pixels):
        raise TrainingError(
            f"micro_batches is {micro_batches}, but the {len(batch.pixels)} pairs of a process "
            f"can be divided into 1 to {len(batch.pixels)} parts."
        )
    if micro_batches == 1:
        output = _forward(model, batch.pixels, batch.tokens, autocast)
        value = loss(**output, labels=batch.labels)
        value.backward()
    else:
        output, value = _step_in_parts(model, loss, batch, micro_batches, autocast)
    return {"loss": value.detach(), "accuracy": _accuracy(output, loss, batch.labels)}


def _forward(
    model: nn.Module,
    pixels: torch.Tensor,
    tokens: torch.Tensor,
    autocast: Callable[[], AbstractContextManager],
) -> _Output:
    """Return what the model says, in float32 at least."""
    # A context of its own for each pass: within one, autocast would reuse weights that it cast
    # where no gradient was wanted.
    with autocast():
        output = model(pixels, tokens)
    if not isinstance(output, dict):
        raise TrainingError(
            f"{type(model).__name__} returns a {type(output).__name__}, not a dictionary: create "
            "it with output_dict=True."
        )
    # A model may say more, such as the words that a CoCa writes.
    used = {name: output[name] for name in (*_FEATURES, *_PARAMETERS) if name in output}
    return {
        name: value.to(torch.promote_types(value.dtype, torch.float32))
        for name, value in used.items()
    }


def _step_in_parts(
    model: nn.Module,
    loss: nn.Module,
    batch: "Batch",
    micro_batches: int,
    autocast: Callable[[], AbstractContextManager],
) -> tuple[_Output, torch.Tensor]:
    """Do a step with memory for one part of the batch: features first, then their gradients."""
    parts = list(
        zip(
            batch.pixels.tensor_split(micro_batches),
            batch.tokens.tensor_split(micro_batches),
            strict=True,
        )
    )
    device = batch.pixels.device
    states, outputs = [], []
    with torch.no_grad(), _kept_buffers(model):
        for part in parts:
            states.append(_random_state(device))
            outputs.append(_forward(model, *part, autocast))
    whole = {
        name: torch.cat([output[name] for output in outputs]) if name in _FEATURES else value
        for name, value in outputs[-1].items()
    }
    leaves = {name: value.detach().requires_grad_() for name, value in whole.items()}
    value = loss(**leaves, labels=batch.labels)
    value.backward()

    start = 0
    for number, (part, state) in enumerate(zip(parts, states, strict=True)):
        is_last = number == len(parts) - 1
        rows = slice(start, start := start + len(part[0]))
        # The random numbers of the first pass again; the last part leaves the generators where
        # a single pass would have left them.
        _set_random_state(state, device)
        # Processes average their gradients once, behind the last part.
        with nullcontext() if is_last else _without_sync(model):
            output = _forward(model, *part, autocast)
            gradients = {name: leaves[name].grad[rows] for name in _FEATURES}
            if is_last:
                gradients |= {n: leaves[n].grad for n in _PARAMETERS if n in leaves}
            # What is frozen passes no gradient on.
            learned = [name for name in gradients if output[name].requires_grad]
            torch.autograd.backward(
                [output[name] for name in learned], [gradients[name] for name in learned]
            )
    return whole, value


def _without_sync(model: nn.Module) -> AbstractContextManager:
    """Return a context in which a model wrapped for several processes keeps its gradients."""
    return model.no_sync() if hasattr(model, "no_sync") else nullcontext()


@contextmanager
def _kept_buffers(model: nn.Module) -> Iterator[None]:
    """Undo what the block does to buffers, such as running statistics: pairs count once."""
    before = [(buffer, buffer.clone()) for buffer in model.buffers()]
    yield
    for buffer, value in before:
        buffer.copy_(value)


def _random_state(device: torch.device) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return the state of the generators that a model on a device draws from."""
    on_gpu = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    return torch.get_rng_state(), on_gpu


def _set_random_state(
    state: tuple[torch.Tensor, torch.Tensor | None], device: torch.device
) -> None:
    on_cpu, on_gpu = state
    torch.set_rng_state(on_cpu)
    if on_gpu is not None:
        torch.cuda.set_rng_state(on_gpu, device)


@torch.no_grad()
def _accuracy(output: _Output, loss: nn.Module, labels: torch.Tensor | None) -> torch.Tensor:
    """Return the share of this process's pictures whose nearest text is a right answer."""
    processes = Processes(loss.rank, loss.world_size)
    pictures = output["image_features"]
    texts = gather_rows(output["text_features"], processes)
    right = right_answers(labels, pictures, processes)
    nearest = (pictures @ texts.T).argmax(dim=1, keepdim=True)
    return right.gather(1, nearest).float().mean()
