"""Local models: every answer keeps the schema, whatever the model is worth."""

import pytest

outlines = pytest.importorskip("outlines")

from astro_paperclip.exceptions import LanguageModelError  # noqa: E402
from astro_paperclip.language import LanguageModel, load_model  # noqa: E402
from astro_paperclip.pairs.summarize import GuidedSummarizer, Summary  # noqa: E402


@pytest.fixture(scope="module")
def model(llama):
    # A token is a letter here, and a model that knows nothing writes long strings.
    wrapped = outlines.from_transformers(*llama)
    return LanguageModel(wrapped, "tiny", max_tokens=1200, temperature=1.0)


def test_a_hundred_abstracts_a_hundred_summaries(model):
    abstracts = [f"We observe {number} comets of each kind." for number in range(100)]
    summarizer = GuidedSummarizer(model)
    made = summarizer(abstracts)
    assert len(made) == 100
    assert all(isinstance(summary, Summary) for summary in made)
    assert len({summary.as_caption() for summary in made}) > 90


def test_the_seed_says_what_is_drawn(model):
    summarizer = GuidedSummarizer(model)
    first, again, other = (summarizer(["A comet."], seed) for seed in (1, 1, 2))
    assert first == again != other


def test_answers_that_are_cut_are_failures(llama):
    short = LanguageModel(outlines.from_transformers(*llama), "tiny", max_tokens=10)
    (failure,) = GuidedSummarizer(short).attempt(["A comet."])
    assert "does not keep the schema" in failure.reason
    assert failure.may_pass


def test_a_folder(llama, tmp_path):
    model, tokenizer = llama
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    loaded = load_model(str(tmp_path), device="cpu")
    assert loaded.name == str(tmp_path)
    # The template and the tokenizer both write the mark of the start: once is right.
    own = loaded._model
    text = own.type_adapter.format_input("Which comet?")
    assert text == "[user]Which comet?[answer]"
    assert own.hf_tokenizer(text).input_ids[:2].count(own.hf_tokenizer.bos_token_id) == 1


def test_no_such_model(tmp_path):
    with pytest.raises(LanguageModelError, match=r"no language model '.*none'"):
        load_model(str(tmp_path / "none"))


def test_neither_a_model_nor_a_function():
    with pytest.raises(LanguageModelError, match="from_transformers"):
        LanguageModel(7)
