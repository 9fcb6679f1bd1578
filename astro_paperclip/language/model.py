"""`LanguageModel`: answers that keep a schema, whatever model gives them."""

import inspect
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from PIL.Image import Image
from pydantic import BaseModel, ValidationError

from astro_paperclip.exceptions import LanguageModelError, LanguageServerError
from astro_paperclip.language.answers import Failure
from astro_paperclip.language.keys import without_key
from astro_paperclip.language.pictures import plain_picture

__all__ = ["LanguageModel"]

Answer = TypeVar("Answer", bound=BaseModel)

_MOST_FAULTS = 20
"""Faults of a server in a row, each after its retries, after which it is given up."""

_FINAL = ("AuthenticationError", "PermissionDeniedError", "NotFoundError")
"""Errors, by outlines's names, with which no prompt will succeed."""


class LanguageModel:
    """Ask a model, and get objects of a schema.

    Parameters
    ----------
    model : outlines model or callable
        What outlines returns: ``outlines.from_transformers(...)``, ``from_llamacpp``,
        ``from_ollama``, ``from_vllm_offline``, ``from_openai`` and so on. Or a function of
        ``prompt``, ``schema`` and ``seed`` that returns JSON; one with an argument ``image``
        sees pictures, and gets that of the prompt by this name, or `None`.
    name : str, optional
        Which model it is: with the prompt's version, this says whose answers are remembered.
        Default: what the model says of itself.
    max_tokens : int, optional
        Length of an answer at most.
    temperature : float, optional
        Of the draws: 0 takes the likeliest token each time.
    concurrency : int, optional
        Questions that are under way at once, where the model is on a server.
    secret : str, optional
        What must be in no message.
    picture_side : int, optional
        Largest width and height of pictures that the model is shown [pixel]; larger ones are
        made smaller first.

    Attributes
    ----------
    sees_images : bool or None
        Whether the model takes pictures: a model of transformers with a processor does, and a
        function that has an argument for them. `None` where only trying would tell, which is
        so of all servers.
    picture_side : int
        As above.

    Notes
    -----
    A prompt is sent as one message of the user, in the model's own chat template where it has
    one. Models that outlines steers cannot leave the schema. Servers are told the schema;
    since not all of them keep it, each answer is checked here.
    """

    def __init__(
        self,
        model: Any,
        name: str | None = None,
        *,
        max_tokens: int = 512,
        temperature: float = 0.5,
        concurrency: int = 8,
        secret: str = "",
        picture_side: int = 512,
    ) -> None:
        for setting, value in {"concurrency": concurrency, "picture_side": picture_side}.items():
            if value < 1:
                raise LanguageModelError(f"{setting} must be a whole number from 1, not {value!r}.")
        self.name = name or _name_of(model)
        self._model, self._secret = model, secret
        self._kind = type(model).__name__ if _is_outlines(model) else ""
        self._settings = _SETTINGS.get(self._kind, _no_settings)
        self.sees_images = _sees_images(model, self._kind)
        self.picture_side = picture_side
        self._max_tokens, self._temperature = max_tokens, temperature
        self._concurrency = concurrency if self._kind in _SERVERS else 1
        self._generators: dict[type[BaseModel], Any] = {}
        self._faults = 0

    def __repr__(self) -> str:
        return f"<LanguageModel {self.name!r}>"

    def ask(
        self,
        prompts: Sequence[str],
        schema: type[Answer],
        *,
        images: Sequence[Image | None] | None = None,
        seed: int = 0,
    ) -> list[Answer | Failure]:
        """Ask several questions.

        Parameters
        ----------
        prompts : sequence of str
            The questions.
        schema : type
            A pydantic model; its JSON schema guides the answers.
        images : sequence of `PIL.Image.Image` or None, optional
            The picture that belongs to each question, where there is one. It is shown without
            what its file says besides, and no larger than ``picture_side``.
        seed : int, optional
            Where all chance comes from, as far as the model takes a seed.

        Returns
        -------
        list
            For each question an object of the schema, or why there is none.

        Raises
        ------
        LanguageModelError
            If the model cannot take such questions at all, or sees no pictures.
        LanguageServerError
            If a server refuses for good, or fails again and again.
        """
        pictures = self._pictures(len(prompts), images)
        texts = self._texts(list(prompts), pictures, schema, seed)
        return [text if isinstance(text, Failure) else _parsed(text, schema) for text in texts]

    def check_sees_images(self) -> None:
        """Refuse a model that is known to take no pictures.

        Raises
        ------
        LanguageModelError
            If this is one.
        """
        if self.sees_images is False:
            raise LanguageModelError(
                f"{self.name} does not see pictures: leave them out (sees_images=False), or take a "
                "model that does, such as one of transformers that comes with a processor, a "
                "server of one, or a function with an argument 'image'."
            )

    def _pictures(
        self, n_prompts: int, images: Sequence[Image | None] | None
    ) -> list[Image | None]:
        """Return the picture of each prompt as it is shown."""
        if images is None:
            return [None] * n_prompts
        if len(images) != n_prompts:
            raise LanguageModelError(f"{len(images)} images do not belong to {n_prompts} prompts.")
        if any(image is not None for image in images):
            self.check_sees_images()
        side = self.picture_side
        return [None if image is None else plain_picture(image, side) for image in images]

    def _texts(
        self,
        prompts: list[str],
        pictures: list[Image | None],
        schema: type[BaseModel],
        seed: int,
    ) -> list[str | Failure | None]:
        if not self._kind:
            if not self.sees_images:
                return [self._model(prompt, schema, seed) for prompt in prompts]
            both = zip(prompts, pictures, strict=True)
            return [self._model(prompt, schema, seed, image=image) for prompt, image in both]
        settings = self._settings(seed, self._max_tokens, self._temperature)
        generator = self._generator(schema)
        questions = list(map(self._question, prompts, pictures))
        # Processors do not agree on how pictures of several prompts are handed over.
        if self._kind in _BATCHES and all(picture is None for picture in pictures):
            return generator.batch(questions, **settings)

        def answer(question: Any) -> str | Failure:
            return self._guarded(generator, question, settings)

        if self._concurrency == 1:
            return list(map(answer, questions))
        with ThreadPoolExecutor(self._concurrency) as pool:
            return list(pool.map(answer, questions))

    def _question(self, prompt: str, picture: Image | None) -> Any:
        """Return what outlines takes: a text, or a conversation of one message with a picture."""
        from outlines.inputs import Chat
        from outlines.inputs import Image as Shown

        if picture is None and self._kind != "TransformersMultiModal":
            return prompt
        shown = [] if picture is None else [Shown(picture)]
        return Chat([{"role": "user", "content": [prompt, *shown]}])

    def _generator(self, schema: type[BaseModel]) -> Any:
        """Return what holds a model to a schema; working that out takes seconds, so once."""
        import outlines

        if schema not in self._generators:
            self._generators[schema] = outlines.Generator(self._model, schema)
        return self._generators[schema]

    def _guarded(self, generator: Any, question: Any, settings: dict) -> str | Failure:
        """Ask one question; a fault is a failure of it, but too many in a row are an error."""
        from outlines.exceptions import APIError

        try:
            # Settings hold objects that some clients change.
            text = generator(question, **dict(settings))
        except APIError as error:
            return self._failure(error)
        except (ValueError, TypeError, KeyError, AttributeError, IndexError):
            if self._kind not in _SERVERS:
                raise
            # What a client makes of a reply that is none.
            return self._counted(Failure("the reply is garbled", may_pass=True))
        self._faults = 0
        return text

    def _failure(self, error: Exception) -> Failure:
        kind = type(error).__name__
        status = getattr(error, "status_code", None)
        said = f"{kind}, status {status}" if status else kind
        if kind in _FINAL:
            raise LanguageServerError(
                f"{self.name} refuses: {said}. Check the key and the name of the model."
            ) from None
        if kind == "BadRequestError":
            reason = without_key(error, self._secret)
            return self._counted(Failure(f"the model refuses the question: {reason[:200]}"))
        return self._counted(Failure(f"the server fails: {said}", may_pass=True))

    def _counted(self, failure: Failure) -> Failure:
        self._faults += 1
        if self._faults >= _MOST_FAULTS:
            raise LanguageServerError(
                f"{self.name} gave {self._faults} faults in a row, the last one: {failure.reason}."
            ) from None
        return failure


def _parsed(text: str | None, schema: type[Answer]) -> Answer | Failure:
    try:
        return schema.model_validate_json(text or "")
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        return Failure(
            f"the answer does not keep the schema ({where or 'as a whole'}: {first['type']})",
            may_pass=True,
        )


def _is_outlines(model: Any) -> bool:
    if type(model).__module__.partition(".")[0] == "outlines":
        return True
    if callable(model):
        return False
    raise LanguageModelError(
        f"{type(model).__name__} is neither a model of outlines nor a function of prompt, schema "
        "and seed: make one with outlines.from_transformers(model, tokenizer)."
    )


def _sees_images(model: Any, kind: str) -> bool | None:
    """Tell whether a model takes pictures; None where only trying would tell."""
    if not kind:
        try:
            return "image" in inspect.signature(model).parameters
        except ValueError:  # some functions that are written in C
            return False
    return None if kind in _SERVERS else kind == "TransformersMultiModal"


def _name_of(model: Any) -> str:
    own = getattr(model, "model", None)
    names = (
        getattr(model, "model_name", None),
        getattr(own, "name_or_path", None),
        getattr(model, "__name__", None),
    )
    return next((name for name in names if isinstance(name, str) and name), type(model).__name__)


def _no_settings(seed: int, max_tokens: int, temperature: float) -> dict:  # noqa: ARG001
    return {}


def _transformers(seed: int, max_tokens: int, temperature: float) -> dict:
    import torch

    # A model of transformers draws from torch's own generator.
    torch.manual_seed(seed)
    if not temperature:
        return {"max_new_tokens": max_tokens, "do_sample": False}
    return {"max_new_tokens": max_tokens, "do_sample": True, "temperature": temperature}


def _vllm_offline(seed: int, max_tokens: int, temperature: float) -> dict:
    from vllm.sampling_params import SamplingParams

    return {
        "sampling_params": SamplingParams(max_tokens=max_tokens, seed=seed, temperature=temperature)
    }


def _ollama(seed: int, max_tokens: int, temperature: float) -> dict:
    return {"options": {"seed": seed, "num_predict": max_tokens, "temperature": temperature}}


def _openai(seed: int, max_tokens: int, temperature: float) -> dict:
    return {"max_tokens": max_tokens, "seed": seed, "temperature": temperature}


_SETTINGS: dict[str, Callable[[int, int, float], dict]] = {
    "Transformers": _transformers,
    "TransformersMultiModal": _transformers,
    "VLLMOffline": _vllm_offline,
    "LlamaCpp": _openai,
    "Ollama": _ollama,
    "OpenAI": _openai,
    "VLLM": _openai,
    "SGLang": _openai,
}
"""How each kind of model is told the seed, the length and the temperature."""

_BATCHES = {"Transformers", "TransformersMultiModal", "VLLMOffline"}
_SERVERS = {"OpenAI", "VLLM", "SGLang", "Ollama"}
