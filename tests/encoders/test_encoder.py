import copy

import numpy as np
import pytest
import torch
from astropy.nddata import NDData
from open_clip.tokenizer import HFTokenizer
from PIL import Image

from astro_paperclip import encoders
from astro_paperclip.config import conf
from astro_paperclip.encoders import VIEWS, Encoder
from astro_paperclip.exceptions import EncoderError, ImageError

from .conftest import CLIP, make_picture, write_model_folder


def variant(encoder, *, model=None, config=None, name="variant"):
    """Return an encoder of its own with the same towers unless told otherwise."""
    return Encoder(
        model or encoder.model,
        encoder.tokenizer,
        config or encoder.config,
        name=name,
        device=encoder.device,
    )


class TestTexts:
    @pytest.fixture(params=["compact", "tiny"])
    def encoder(self, request):
        return request.getfixturevalue(request.param)

    def test_gives_unit_vectors_in_single_precision(self, encoder, texts):
        vectors = encoder.encode_texts(texts)
        assert vectors.shape == (len(texts), encoder.dim)
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)

    def test_of_nothing_is_nothing(self, encoder):
        vectors = encoder.encode_texts([])
        assert vectors.shape == (0, encoder.dim)
        assert vectors.dtype == np.float32

    @torch.inference_mode()
    def test_is_what_open_clip_gives_with_all_its_padding(self, encoder, texts):
        tokens = encoder.tokenizer(texts)
        assert tokens.shape == (len(texts), encoder.context_length)
        expected = torch.nn.functional.normalize(encoder.model.encode_text(tokens), dim=-1)
        np.testing.assert_allclose(encoder.encode_texts(texts), expected, atol=1e-5)

    @pytest.mark.parametrize("batch_size", [1, 2, 32])
    def test_keeps_the_order_in_any_batches(self, encoder, texts, batch_size):
        texts = [f"{text} {number}" for number in range(3) for text in texts]
        expected = np.concatenate([encoder.encode_texts([text]) for text in texts])
        with conf.set_temp("batch_size", batch_size):
            np.testing.assert_allclose(encoder.encode_texts(texts), expected, atol=1e-5)

    def test_takes_arrays_and_tuples(self, encoder, texts):
        expected = encoder.encode_texts(texts)
        np.testing.assert_array_equal(encoder.encode_texts(np.array(texts)), expected)
        np.testing.assert_array_equal(encoder.encode_texts(tuple(texts)), expected)

    def test_refuses_a_single_text(self, encoder):
        with pytest.raises(EncoderError, match=r"encode_texts\(\['a galaxy'\]\)"):
            encoder.encode_texts("a galaxy")

    def test_long_texts_are_cut_by_whole_sentences(self, encoder):
        sentence = "The arms of galaxy number {} are bright."
        sentences = [sentence.format(number) for number in range(60)]
        for fitting in range(60, 0, -1):
            tokens = encoder.tokenizer([" ".join(sentences[:fitting])], context_length=2000)
            if np.count_nonzero(tokens) <= encoder.context_length:
                break
        assert 1 < fitting < 60
        cut, same, shorter = encoder.encode_texts(
            [" ".join(sentences[:count]) for count in (60, fitting, fitting - 1)]
        )
        np.testing.assert_allclose(cut, same, atol=1e-5)
        assert np.abs(cut - shorter).max() > 1e-3

    @pytest.mark.parametrize("text", ["", "a", "NGC 1300's  bar", "R &amp; D", "x" * 900, "é\n\nü"])
    def test_counts_the_tokens_that_the_tokenizer_makes(self, encoder, text):
        # Both tokenizers pad with 0, which none of these texts holds.
        tokens = encoder.tokenizer([text], context_length=2000)
        assert encoder.count_tokens(text) == np.count_nonzero(tokens)

    def test_a_context_that_is_just_full_is_not_cut(self, encoder):
        words = ["star"] * (encoder.context_length - 2)
        assert encoder.count_tokens(" ".join(words)) == encoder.context_length
        full, cut, shorter = encoder.encode_texts(
            [" ".join(words), " ".join([*words, "comet"]), " ".join(words[:-1])]
        )
        np.testing.assert_allclose(full, cut, atol=1e-5)
        assert not np.array_equal(full, shorter)


def test_padding_on_the_left_is_not_cut_off(compact):
    turned = copy.deepcopy(compact.tokenizer)
    turned.tokenizer.padding_side = "left"
    encoder = Encoder(
        compact.model, turned, compact.config, name="left", device=torch.device("cpu")
    )
    with torch.inference_mode():
        tokens = turned(["a comet"])
        assert tokens[0, 0] == 0
        expected = torch.nn.functional.normalize(compact.model.encode_text(tokens), dim=-1)
    np.testing.assert_allclose(encoder.encode_texts(["a comet"]), expected, atol=1e-5)


def test_tokens_are_counted_after_the_tokenizers_own_cleaning(compact):
    tokenizer = copy.deepcopy(compact.tokenizer)
    plain = HFTokenizer.__call__(tokenizer, ["a red - b l u e galaxy."])
    tokenizer.clean_fn = lambda text: text.replace("-", "").replace(".", "")
    encoder = Encoder(
        compact.model, tokenizer, compact.config, name="clean", device=torch.device("cpu")
    )
    counted = encoder.count_tokens("a red - b l u e galaxy.")
    assert counted == np.count_nonzero(plain) - 2


class TestImages:
    @pytest.fixture(params=["compact", "tiny"])
    def encoder(self, request):
        return request.getfixturevalue(request.param)

    def test_gives_unit_vectors_in_single_precision(self, encoder, pictures):
        vectors = encoder.encode_images(pictures)
        assert vectors.shape == (len(pictures), encoder.dim)
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)

    def test_of_nothing_is_nothing(self, encoder):
        vectors = encoder.encode_images([])
        assert vectors.shape == (0, encoder.dim)
        assert vectors.dtype == np.float32

    @pytest.mark.usefixtures("in_float32")
    @pytest.mark.parametrize("batch_size", [1, 2, 32])
    def test_is_the_same_in_any_batches(self, encoder, pictures, batch_size):
        single = variant(encoder)
        pictures = [*pictures, *(make_picture(seed) for seed in range(10, 15))]
        expected = np.concatenate([single.encode_images([picture]) for picture in pictures])
        with conf.set_temp("batch_size", batch_size):
            np.testing.assert_allclose(single.encode_images(pictures), expected, atol=1e-5)

    def test_takes_whatever_holds_a_picture(self, encoder, pictures, picture_files):
        array = np.asarray(pictures[0])
        vectors = encoder.encode_images([pictures[0], array, str(picture_files[0])])
        np.testing.assert_allclose(vectors[1:], vectors[[0, 0]], atol=1e-6)
        grey = NDData(np.asarray(pictures[0].convert("L"), np.float64))
        assert encoder.encode_images([grey]).shape == (1, encoder.dim)

    @pytest.mark.parametrize("views", VIEWS)
    def test_turned_pictures_have_one_vector_where_views_are_averaged(self, tiny, views):
        picture = make_picture(3)
        turned = picture.transpose(Image.Transpose.ROTATE_90)
        first, second = tiny.encode_images([picture, turned], views)
        same = np.allclose(first, second, atol=2e-2)
        assert same == (views != "whole")

    @pytest.mark.usefixtures("in_float32")
    @pytest.mark.parametrize("views", VIEWS)
    def test_vector_of_views_is_the_direction_of_their_mean(self, own_tiny, views):
        square = own_tiny.prepare(make_picture(3))
        quarter_turns = [np.rot90(square, turns) for turns in range(4)]
        mirrored = [np.fliplr(view) for view in quarter_turns]
        each = [*quarter_turns, *mirrored][: VIEWS[views]]
        mean = np.mean([own_tiny.encode_squares(view[None])[0] for view in each], axis=0)
        expected = mean / np.linalg.norm(mean)
        np.testing.assert_allclose(
            own_tiny.encode_squares(square[None], views)[0], expected, atol=1e-5
        )

    def test_unknown_views(self, tiny, pictures):
        with pytest.raises(EncoderError, match="'corners'"):
            tiny.encode_images(pictures, views="corners")

    @pytest.mark.parametrize("kind", ["path", "str", "picture"])
    def test_refuses_a_single_image(self, tiny, pictures, picture_files, kind):
        single = {"path": picture_files[0], "str": str(picture_files[0]), "picture": pictures[0]}
        with pytest.raises(EncoderError, match=r"list of images is needed"):
            tiny.encode_images(single[kind])

    def test_names_an_image_that_cannot_be_read(self, tiny, pictures, tmp_path):
        broken = tmp_path / "broken.jpg"
        broken.write_bytes(b"\xff\xd8\xff")
        with pytest.raises(ImageError, match=r"broken\.jpg"):
            tiny.encode_images([*pictures, broken])

    def test_takes_pixels_as_they_lie_in_memory(self, tiny, pictures):
        square = tiny.prepare(pictures[0])
        expected = tiny.encode_squares(square[None].copy())
        read_only = square[None].copy()
        read_only.setflags(write=False)
        strided = np.repeat(square[None], 2, axis=2)[:, :, ::2]
        turned = np.rot90(np.rot90(square, 3).copy())[None]
        for squares in (read_only, strided, turned):
            features = torch.nn.functional.normalize(tiny.image_features(squares), dim=-1)
            np.testing.assert_allclose(features, expected, atol=1e-6)

    def test_nothing_is_cropped_away(self, tiny):
        wide = np.full((20, 200, 3), 40, np.uint8)
        marked = wide.copy()
        marked[:, :10] = 200
        square, marked_square = tiny.prepare(wide), tiny.prepare(marked)
        assert square.shape == marked_square.shape == (32, 32, 3)
        assert (square != marked_square).any()
        np.testing.assert_array_equal(square[:14], 0)
        np.testing.assert_array_equal(square[18:], 0)

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
    def test_half_precision_changes_little(self, encoder, pictures, monkeypatch, dtype):
        name = "astro_paperclip.encoders.encoder.image_dtype"
        vectors = []
        for precision in (torch.float32, dtype):
            monkeypatch.setattr(name, lambda device, precision=precision: precision)
            vectors.append(variant(encoder).encode_images(pictures))
        assert vectors[1].dtype == np.float32
        cosines = (vectors[0] * vectors[1]).sum(1)
        assert cosines.min() > 0.998
        assert cosines.mean() > 0.999
        assert not np.array_equal(*vectors)

    @pytest.mark.gpu
    def test_a_gpu_gives_the_same_vectors(self, compact, pictures, texts):
        on_gpu = encoders.load("compact", device="cuda")
        assert on_gpu.fingerprint == compact.fingerprint
        for views in VIEWS:
            np.testing.assert_allclose(
                on_gpu.encode_images(pictures, views),
                compact.encode_images(pictures, views),
                atol=1e-2,
            )
        np.testing.assert_allclose(
            on_gpu.encode_texts(texts), compact.encode_texts(texts), atol=1e-2
        )


@pytest.mark.usefixtures("in_float32")
@torch.inference_mode()
def test_files_have_open_clips_vectors(picture_files):
    encoder = encoders.load("compact", device="cpu")
    squares = np.stack([encoder.prepare(path) for path in picture_files])
    pixels = torch.from_numpy(squares).permute(0, 3, 1, 2) / 127.5 - 1
    expected = encoder.model.encode_image(pixels, normalize=True)
    (batch,) = encoder.encode_image_files(picture_files)
    np.testing.assert_allclose(batch.vectors, expected, atol=1e-5)


class TestFingerprint:
    def test_is_a_sha256(self, tiny):
        assert len(bytes.fromhex(tiny.fingerprint)) == 32

    def test_does_not_depend_on_the_name(self, tiny):
        assert variant(tiny, name="other").fingerprint == tiny.fingerprint

    def test_changes_with_any_weight(self, tiny):
        for parameter in ("visual.proj", "transformer.resblocks.1.mlp.c_fc.bias"):
            model = copy.deepcopy(tiny.model)
            tensor = model.get_parameter(parameter).data.view(-1)
            tensor[-1] = torch.nextafter(tensor[-1], torch.tensor(9.0))
            assert variant(tiny, model=model).fingerprint != tiny.fingerprint

    @pytest.mark.parametrize(
        ("setting", "value"), [("mean", (0.5, 0.5, 0.5)), ("std", (1.0, 1.0, 1.0)), ("size", 48)]
    )
    def test_changes_with_what_is_done_to_pixels(self, tiny, setting, value):
        model = copy.deepcopy(tiny.model)
        model.visual.preprocess_cfg[setting] = value
        assert variant(tiny, model=model).fingerprint != tiny.fingerprint

    def test_changes_with_what_is_computed_from_the_weights(self, tiny, tiny_folder, tmp_path):
        quick = write_model_folder(tmp_path / "quick", CLIP | {"quick_gelu": True})
        weights = (tiny_folder / "open_clip_model.safetensors").read_bytes()
        (quick / "open_clip_model.safetensors").write_bytes(weights)
        other = encoders.load(quick, device="cpu")
        assert not np.allclose(other.encode_texts(["a"]), tiny.encode_texts(["a"]), atol=1e-3)
        assert other.fingerprint != tiny.fingerprint


def test_size_of_pixels_may_be_a_number_or_two(tiny):
    for size in (32, (32, 32), [32, 32]):
        model = copy.deepcopy(tiny.model)
        model.visual.preprocess_cfg["size"] = size
        assert variant(tiny, model=model).pixels == tiny.pixels


def test_describes_itself(compact):
    assert repr(compact) == f"<Encoder 'compact': 512-d on cpu, {compact.fingerprint[:12]}>"
