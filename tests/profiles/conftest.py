"""Profile texts, a small real sentence encoder, and a small real embeddings server."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from recbole_llmdistill.resources import properties


@pytest.fixture
def llmdistill(monkeypatch, capsys) -> Callable[..., tuple[int, str, str]]:
    """Runs the command in this process: status, standard output, standard error."""
    from recbole_llmdistill.cli.llmdistill import main

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["llmdistill", *map(str, arguments)])
        capsys.readouterr()
        status = main()
        return status, *capsys.readouterr()

    return run


@pytest.fixture(scope="session")
def shipped_texts() -> dict[str, str]:
    """User -> text of the shipped profiles of ml-100k."""
    lines = properties("profiles", "ml-100k", "profiles.jsonl").read_text(encoding="utf-8").splitlines()
    return {record["user_id"]: record["profile"] for record in map(json.loads, lines)}


@pytest.fixture
def write_profiles(tmp_path: Path) -> Callable[..., Path]:
    """Writes records or user -> text as ``profiles.jsonl`` into a folder, with a manifest unless told otherwise."""

    def write(profiles: dict | list, folder: str = "profiles", manifest: bool = True) -> Path:
        path = tmp_path / folder
        path.mkdir(exist_ok=True)
        if isinstance(profiles, dict):
            profiles = [{"user_id": user, "profile": text} for user, text in profiles.items()]
        lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in profiles)
        (path / "profiles.jsonl").write_text(lines, encoding="utf-8")
        if manifest:
            (path / "manifest.json").write_text('{"dataset": "ml-100k", "training_fingerprint": "sha256:ab"}')
        return path

    return write


@pytest.fixture(scope="session")
def sentence_encoder(tmp_path_factory, shipped_texts) -> Path:
    """Folder of a two-layer BERT of 16 dimensions that reads 40 tokens, its vocabulary made of the shipped texts."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(
        shipped_texts.values(), trainers.WordPieceTrainer(vocab_size=2000, special_tokens=special)
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    folder = tmp_path_factory.mktemp("encoder")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=40,
        initializer_range=0.5,
    )
    BertModel(config).save_pretrained(folder / "transformer")
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=40,
    )
    fast.save_pretrained(folder / "transformer")
    transformer = Transformer(str(folder / "transformer"))
    model = SentenceTransformer(modules=[transformer, Pooling(16), Normalize()], device="cpu")
    model.save(str(folder / "tiny"))
    return folder / "tiny"


class EmbeddingsServer:
    """A server of the OpenAI embeddings protocol on the loopback: deterministic vectors of four values.

    Attributes:
        url: its address.
        requests: the requests' bodies.
        authorizations: the requests' keys.
        faults: answers to give first, each (status, headers, body); taken one a request.
        vector: from a text to its vector.
    """

    def __init__(self) -> None:
        self.requests: list[dict] = []
        self.authorizations: list[str] = []
        self.faults: list[tuple[int, dict, dict]] = []
        self.vector: Callable[[str], list[float]] = lambda text: [
            float(len(text)),
            float(text.count("e")),
            float(len(text.split())),
            1.0,
        ]
        lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    outer.requests.append(body)
                    outer.authorizations.append(self.headers.get("Authorization", ""))
                    fault = outer.faults.pop(0) if outer.faults else None
                status, headers, answer = fault or (200, {}, outer.answer(body))
                data = json.dumps(answer).encode()
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", "Content-Length": len(data), **headers}.items():
                    self.send_header(name, str(value))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_arguments) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, body: dict) -> dict:
        """Vectors in reverse order, as the protocol allows: the index tells which is which."""
        data = [
            {"object": "embedding", "index": index, "embedding": self.vector(text)}
            for index, text in enumerate(body["input"])
        ][::-1]
        return {
            "object": "list",
            "model": body["model"],
            "data": data,
            "usage": {"prompt_tokens": 1, "total_tokens": 1},
        }

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def embeddings_server():
    server = EmbeddingsServer()
    yield server
    server.stop()
