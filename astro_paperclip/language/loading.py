"""Load a language model by its name, or reach one by its server's address."""

import ipaddress
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any
from urllib.parse import SplitResult, urlsplit

from astro_paperclip.exceptions import LanguageModelError, LanguageServerError
from astro_paperclip.language.keys import KEY_VARIABLE, find_key, without_key
from astro_paperclip.language.model import LanguageModel
from astro_paperclip.logger import log

__all__ = ["load_model", "model_label"]


def load_model(
    name: Any,
    *,
    device: str | None = None,
    retries: int = 5,
    timeout: float = 120.0,
    concurrency: int = 8,
    picture_side: int = 512,
) -> LanguageModel:
    """Load a language model, or reach one on a server.

    Parameters
    ----------
    name : str, LanguageModel, outlines model or callable
        ``https://HOST/v1`` or ``http://HOST:PORT/v1``, the address of a server with OpenAI's
        interface, as vLLM, llama.cpp and Ollama have it; ``#MODEL`` behind it names one of
        several models. Any other text is a model of transformers: a folder, or a name on the
        Hugging Face Hub; one that sees pictures is loaded with its processor. What is loaded
        already is given back, as a `LanguageModel`.
    device : str, optional
        Where a local model runs. Default: CUDA where there is one. There it is loaded with four
        bits a weight if ``bitsandbytes`` and ``accelerate`` are installed.
    retries : int, optional
        How often a request to a server is sent again after it failed, with growing pauses or
        those that the server asks for.
    timeout : float, optional
        How long to wait for a server (s).
    concurrency : int, optional
        Questions that are under way at a server at once.
    picture_side : int, optional
        Largest width and height of pictures that the model is shown [pixel].

    Returns
    -------
    LanguageModel

    Raises
    ------
    LanguageModelError
        If there is no such model, or the address is none.
    LanguageServerError
        If the server cannot be reached or refuses.

    Notes
    -----
    A server gets all that is asked of the model, abstracts and queries. Its address is logged;
    nothing is sent to any other. Its key, if it needs one, is taken from the environment
    variable ``ASTRO_PAPERCLIP_API_KEY`` or from the keyring, and is sent over an encrypted
    connection or to this very machine only.
    """
    if isinstance(name, LanguageModel):
        return name
    if not isinstance(name, str):
        return LanguageModel(name, concurrency=concurrency, picture_side=picture_side)
    if "://" in name:
        model, name, key = _on_server(name, retries, timeout)
    else:
        model, key = _local(name, device), ""
    return LanguageModel(
        model, name, concurrency=concurrency, secret=key, picture_side=picture_side
    )


def model_label(name: Any) -> str:
    """Return what a record may say of a language model, without loading or reaching it.

    Parameters
    ----------
    name : str, LanguageModel, outlines model or callable
        As for `load_model`.

    Returns
    -------
    str
        Its name or its server's address, in which there is no key.

    Raises
    ------
    LanguageModelError
        If it is nothing of this kind, or an address that holds more than it may.
    """
    if not isinstance(name, str):
        return load_model(name).name
    return _checked_address(name).geturl() if "://" in name else name


def _checked_address(address: str) -> SplitResult:
    """Return the parts of a server's address, which must hold no secret."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise LanguageModelError(f"{address!r} is no address of a server: give https://HOST/v1.")
    if parts.username or parts.password:
        raise LanguageModelError(
            f"The address of {parts.hostname} holds a user or a password: put the key into the "
            f"environment variable {KEY_VARIABLE}."
        )
    if parts.query:
        raise LanguageModelError(f"The address of {parts.hostname} must hold no '?'.")
    return parts


def _on_server(address: str, retries: int, timeout: float) -> tuple[Any, str, str]:
    """Return a model on a server as outlines has it, its name, and the server's key."""
    parts = _checked_address(address)
    key = find_key(parts.hostname)
    if key and parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise LanguageModelError(
            f"The key for {parts.hostname} is not sent over http, which anyone can read: give an "
            f"address with https, or remove the key from {KEY_VARIABLE} or the keyring."
        )
    url = f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")
    import openai
    import outlines

    with _without_variables_of_others():
        client = openai.OpenAI(
            api_key=key or "none", base_url=url, max_retries=retries, timeout=timeout
        )
    model_name = parts.fragment or _only_model(client, url, key)
    log.info(f"Prompts are sent to {url}, to the model {model_name}.")
    model = outlines.from_openai(client, model_name)
    return model, f"{model_name} at {url}", key


@contextmanager
def _without_variables_of_others() -> Iterator[None]:
    """Hide what the client would take from the environment and send along.

    Keys, headers and names of an organization in it are meant for OpenAI's own server.
    """
    hidden = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("OPENAI_")}
    try:
        yield
    finally:
        os.environ.update(hidden)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _only_model(client, url: str, key: str) -> str:
    """Return the name of the model that a server has, if it is one."""
    import openai

    try:
        names = sorted(model.id for model in client.models.list())
    except openai.OpenAIError as error:
        status = getattr(error, "status_code", None)
        why = f"it answers {status}" if status else without_key(error, key)
        raise LanguageServerError(f"The server {url} does not list its models: {why}") from None
    if len(names) != 1:
        listed = ", ".join(names) or "none"
        raise LanguageModelError(f"{url} has the models {listed}: name one as {url}#MODEL.")
    return names[0]


def _local(name: str, device: str | None) -> Any:
    """Return a model of transformers as outlines has it."""
    import outlines
    import torch
    from transformers import BitsAndBytesConfig, ProcessorMixin

    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    in_four_bits = device.startswith("cuda") and all(map(find_spec, ("bitsandbytes", "accelerate")))
    options = {"dtype": "auto"}
    if in_four_bits:
        options["device_map"] = device
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_compute_dtype=torch.bfloat16,
        )
    try:
        model, reader = _model_and_reader(name, options)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise LanguageModelError(
            f"There is no language model {name!r}: give a folder, a name on the Hugging Face Hub, "
            f"or a server's address https://HOST/v1. ({reason[:200]})"
        ) from error
    model = model if in_four_bits else model.to(device)
    # Pictures have to come in the precision of the weights; tokens have none.
    precision = model.dtype if isinstance(reader, ProcessorMixin) else None
    return outlines.from_transformers(model.eval(), reader, device_dtype=precision)


def _model_and_reader(name: str, options: dict) -> tuple[Any, Any]:
    """Load a model and its tokenizer, or its processor where it sees pictures."""
    from transformers import (
        AutoConfig,
        AutoModelForCausalLM,
        AutoModelForImageTextToText,
        AutoProcessor,
        AutoTokenizer,
    )
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES as SEEING,
    )

    if AutoConfig.from_pretrained(name).model_type not in SEEING:
        tokenizer = AutoTokenizer.from_pretrained(name)
        _write_start_once(tokenizer, "x")
        return AutoModelForCausalLM.from_pretrained(name, **options), tokenizer
    processor = AutoProcessor.from_pretrained(name)
    # Of a folder with no processor in it, this is a tokenizer.
    tokenizer = getattr(processor, "tokenizer", processor)
    # outlines asks the tokenizer for the template, which may stand with the processor only.
    tokenizer.chat_template = tokenizer.chat_template or processor.chat_template
    _write_start_once(tokenizer, [{"type": "text", "text": "x"}])
    return AutoModelForImageTextToText.from_pretrained(name, **options), processor


def _write_start_once(tokenizer, content: str | list) -> None:
    """Keep a chat template from writing the mark of the start that the tokenizer writes too.

    ``content`` is that of a message, as the template takes it. A model reads twice the same
    mark as something that it was not trained on.
    """
    if not (tokenizer.chat_template and tokenizer.bos_token):
        return
    chat = [{"role": "user", "content": content}]
    text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    if tokenizer(text).input_ids[:2] == [tokenizer.bos_token_id] * 2:
        tokenizer.chat_template = "{%- set bos_token = '' -%}" + tokenizer.chat_template
