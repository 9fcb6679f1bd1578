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
| steps, batch | {steps} of {batch_size} pairs, each of another group |
| final loss, in-batch accuracy | {loss:.3f}, {accuracy:.2f} |
| fingerprint | `{fingerprint}` |

`training.json` holds every setting. The licence of the base model's weights holds for this one.

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
    return _CARD.format(
        version=record["versions"]["astro_paperclip"],
        method=record["method"],
        base=record["base"]["name"],
        **record["training"],
        **{f"validation_{name}": count for name, count in record["validation"].items()},
        **record["outcome"],
        fingerprint=record["fingerprint"],
        plain=_PLAIN if plain else _PROJECTED,
    )
