"""A language model that knows nothing, and a server with faults."""

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}[{{ message['role'] }}]{{ message['content'] }}"
    "{% endfor %}[answer]"
)


PICTURE_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}[{{ message['role'] }}]"
    "{% for part in message['content'] %}"
    "{{ '<image>' if part['type'] == 'image' else part['text'] }}{% endfor %}{% endfor %}[answer]"
)


def bytes_tokenizer(template, *marks):
    """Return a tokenizer of bytes, and marks that stand for themselves."""
    import torch._dynamo
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    # Compiling a mask takes longer than all that a model of this size does.
    torch._dynamo.config.disable = True
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {name: number for number, name in enumerate(["<s>", "</s>", *marks, *letters])}
    bytes_only = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    bytes_only.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_only.decoder = decoders.ByteLevel()
    bytes_only.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 0)]
    )
    bytes_only.add_special_tokens(list(marks))
    return PreTrainedTokenizerFast(
        tokenizer_object=bytes_only,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="</s>",
        chat_template=template,
        model_max_length=8192,
    )


def llama_config(tokenizer):
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=8192,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )


@pytest.fixture(scope="session")
def llama():
    """Return a small Llama with random weights, and its tokenizer of bytes."""
    pytest.importorskip("outlines")
    import torch
    from transformers import LlamaForCausalLM

    tokenizer = bytes_tokenizer(TEMPLATE)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return LlamaForCausalLM(llama_config(tokenizer)).eval(), tokenizer


@pytest.fixture(scope="session")
def llava():
    """Return a small model with random weights that sees pictures, and its processor."""
    pytest.importorskip("outlines")
    import torch
    from transformers import (
        CLIPImageProcessor,
        CLIPVisionConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    tokenizer = bytes_tokenizer(PICTURE_TEMPLATE, "<image>")
    sides = {"height": 16, "width": 16}
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessor(size=sides, crop_size=sides, do_center_crop=False),
        tokenizer=tokenizer,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=PICTURE_TEMPLATE,
    )
    vision = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=16,
        patch_size=8,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=llama_config(tokenizer),
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return LlavaForConditionalGeneration(config).eval(), processor


class Server(ThreadingHTTPServer):
    """A server with OpenAI's interface: answers, or has the faults that it is given."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.models = ["some/model"]
        self.answer = '{"objects_and_phenomena": ["comets"], "science_use_cases": ["old ices"]}'
        self.faults = []
        self.together = None
        self.asked = []
        self.keys = []
        self.headers = []
        self.lock = threading.Lock()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, request, client_address):
        """Say nothing of clients that hang up."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.note_headers()
        models = [{"id": name, "object": "model"} for name in self.server.models]
        self.reply(200, json.dumps({"object": "list", "data": models}).encode())

    def do_POST(self):
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.asked.append(question)
            self.note_headers()
            fault = self.server.faults.pop(0) if self.server.faults else None
        if self.server.together:
            self.server.together.wait(timeout=60)
        if isinstance(fault, int):
            said = f"Bad: {self.headers['Authorization']}"
            self.reply(fault, json.dumps({"error": {"message": said}}).encode())
        elif fault == "cut":
            self.reply(200, b'{"choices": [{"mess', length=4000)
        elif fault == "garbled":
            self.reply(200, b"<html>not what you want</html>")
        elif fault == "empty":
            self.reply(200, b'{"choices": null}')
        else:
            text = self.server.answer if fault is None else fault.removeprefix("answer:")
            message = {"role": "assistant", "content": text}
            choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
            body = {"id": "1", "object": "chat.completion", "created": 1, "model": "some/model"}
            self.reply(200, json.dumps(body | {"choices": choices}).encode())

    def note_headers(self):
        self.server.keys.append(self.headers["Authorization"])
        self.server.headers.append(str(self.headers))

    def reply(self, status, body, length=None):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(length or len(body)))
        self.send_header("retry-after-ms", "1")
        if length:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = length is not None or self.close_connection


@pytest.fixture
def model_server(monkeypatch):
    """Return a server with OpenAI's interface on loopback."""
    pytest.importorskip("openai")
    pytest.importorskip("outlines")
    monkeypatch.delenv("ASTRO_PAPERCLIP_API_KEY", raising=False)
    with serving() as server:
        yield server


@contextmanager
def serving():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
