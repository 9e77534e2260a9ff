"""The hub's real client against a small hub on the loopback interface."""

import hashlib
import http.server
import json
import threading

import jax
import pytest
from tiny_models import save_tiny_llama

import personascan
from personascan.hub import fetch_model, is_hub_id
from personascan.models.folder import is_description_file

COMMIT = "0123456789abcdef0123456789abcdef01234567"
MORE = ("README.md", "pytorch_model.bin", "original/consolidated.safetensors", "onnx/model.onnx")


class Hub(http.server.BaseHTTPRequestHandler):
    """What the client asks for: a repository's files, and each file's head and body."""

    def do_HEAD(self):
        self.do_GET(body=False)

    def do_GET(self, body=True):
        server = self.server
        path = self.path.split("?")[0]
        server.asked.append(path)
        for prefix, repos in (("/api/models/", server.models), ("/api/datasets/", server.datasets)):
            if path.startswith(prefix):
                name, _, revision = path.removeprefix(prefix).partition("/revision/")
                return self.repository(repos, name, revision, body)
        repos = server.datasets if path.startswith("/datasets/") else server.models
        name, _, rest = path.removeprefix("/datasets").lstrip("/").partition("/resolve/")
        file = rest.partition("/")[2]
        if name in server.gated:
            return self.reply(403, b"", {"X-Error-Code": "GatedRepo"})
        if name not in repos or file not in repos[name]:
            return self.reply(404, b"", {"X-Error-Code": "EntryNotFound"})
        content = repos[name][file]
        tag = hashlib.sha256(content).hexdigest()
        return self.reply(200, content, {"ETag": f'"{tag}"', "X-Repo-Commit": COMMIT}, body)

    def repository(self, repos, name, revision, body):
        if name in self.server.gated:
            return self.reply(403, b"", {"X-Error-Code": "GatedRepo"})
        if name not in repos:
            return self.reply(401, b"", {"X-Error-Code": "RepoNotFound"})
        if revision not in ("", "main", COMMIT):
            return self.reply(404, b"", {"X-Error-Code": "RevisionNotFound"})
        files = [{"rfilename": f} for f in repos[name]]
        content = {"id": name, "modelId": name, "sha": COMMIT, "siblings": files, "tags": []}
        return self.reply(200, json.dumps(content).encode(), {}, body)

    def reply(self, status, content, headers, body=True):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub with one model and one data set, and the client's cache in a folder of its own."""
    import huggingface_hub.constants as constants

    save_tiny_llama(tmp_path / "tiny", shard="40KB")
    files = {p.name: p.read_bytes() for p in (tmp_path / "tiny").iterdir()}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.asked, server.gated = [], {"org/gated"}
    server.models = {"org/tiny": files | dict.fromkeys(MORE, b"not needed"), "org/empty": {}}
    line = {
        "statement": "I like walks", "answer_matching_behavior": " Yes", "label_confidence": 0.9,
    }  # fmt: skip
    texts = {
        f"persona/{name}.jsonl": json.dumps(line | {"statement": f"I like {name}"}).encode()
        for name in ("walks", "talks", "naps")
    }
    server.datasets = {"org/evals": texts | {"sycophancy/other.jsonl": b"{}", "README.md": b""}}
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    here = f"http://127.0.0.1:{server.server_port}"
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, here)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "ENDPOINT", here)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_model_is_fetched_by_its_id(hub, tmp_path):
    model = personascan.load_model("org/tiny")
    local = personascan.load_model(str(tmp_path / "tiny"))
    assert model.revision == COMMIT
    assert model.source == "org/tiny"
    assert model.sha256 == local.sha256
    assert [p for p in hub.asked if any(name in p for name in MORE)] == []
    assert sum("safetensors" in p for p in hub.asked) >= 3
    assert personascan.load_model(f"org/tiny@{COMMIT}").revision == COMMIT
    assert personascan.load_model("org/tiny@main").sha256 == local.sha256


def test_a_copy_serves_without_network(hub):
    first = personascan.load_model("org/tiny")
    hub.shutdown()
    hub.server_close()
    again = personascan.load_model("org/tiny")
    assert (again.sha256, again.revision) == (first.sha256, COMMIT)
    with pytest.raises(
        personascan.InputError, match="the hub cannot be reached for org/other"
    ) as e:
        personascan.load_model("org/other")
    assert "check the network" in str(e.value)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("org/gated", r"gated: accept its terms on its page, then log in with `hf auth login`"),
        ("org/missing", "no folder 'org/missing' here and no model of that id on the hub"),
        ("org/tiny@v9", "has no revision 'v9'"),
        ("org/empty", "has no config.json and safetensors files"),
        ("org/tiny/other.gguf", "has no other.gguf"),
    ],
)
def test_what_cannot_be_had_is_one_line(hub, source, message):
    with pytest.raises(personascan.InputError, match=message) as caught:
        personascan.load_model(source)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("source", ["./nothing", "../no/thing", "/no/thing", "out/x.safetensors"])
def test_a_path_is_not_looked_for_on_the_hub(hub, source):
    hub.asked.clear()
    with pytest.raises(personascan.InputError, match=f"there is nothing at '{source}'; check the"):
        personascan.load_model(source)
    with pytest.raises(personascan.InputError, match="do not exist; check the path"):
        personascan.load_statements(source)
    assert hub.asked == []


def test_one_file_of_a_repository(hub, tmp_path):
    from tiny_models import write_tiny_gguf

    write_tiny_gguf(tmp_path / "t.gguf")
    hub.models["org/files"] = {"q/t.gguf": (tmp_path / "t.gguf").read_bytes(), "u.gguf": b""}
    model = personascan.load_model("org/files/q/t.gguf")
    assert model.config.layers == 1
    assert not any("u.gguf" in path for path in hub.asked)


def test_a_plan_fetches_no_weights(hub):
    statements = [personascan.Statement("s", "I like walks", "p", "", True, 1.0, "")]
    plan = personascan.plan_extraction("org/tiny", statements)
    params = personascan.load_model("org/tiny").params
    assert plan.parameters == sum(p.size for p in jax.tree.leaves(params))
    weights = [i for i, p in enumerate(hub.asked) if "model-0000" in p]
    configs = [i for i, p in enumerate(hub.asked) if "config.json" in p]
    assert configs[0] < weights[0]
    hub.asked.clear()
    personascan.plan_extraction("org/tiny", statements)
    assert not any("model-0000" in p for p in hub.asked)


def test_whatever_a_folder_is_read_with_is_fetched(hub, tmp_path):
    """A hub id gives the tokens and the stops that the same files in a folder give."""
    names = ("config.json", "generation_config.json", "sentencepiece.bpe.model", "spiece.model",
             "tokenizer_config.json", "additional_chat_templates/a.jinja")  # fmt: skip
    hub.models["org/pieces"] = dict.fromkeys((*names, "notes.txt", "a/vocab.txt"), b"{}")
    found, _ = fetch_model("org/pieces", is_description_file, weights=False)
    fetched = {p.relative_to(found).as_posix() for p in found.rglob("*") if p.is_file()}
    assert fetched == set(names)


def test_statements_of_a_data_set(hub):
    (walks,) = personascan.load_statements("org/evals", persona="walks")
    assert (walks.text, walks.persona, walks.positive) == ("I like walks", "walks", True)
    assert [p for p in hub.asked if "resolve" in p and "talks" in p] == []
    every = personascan.load_statements("org/evals")
    assert sorted(s.persona for s in every) == ["naps", "talks", "walks"]
    assert not any("sycophancy" in p for p in hub.asked if "resolve" in p)
    with pytest.raises(personascan.InputError, match="persona 'runs' is not in org/evals"):
        personascan.load_statements("org/evals", persona="runs")
    with pytest.raises(personascan.InputError, match="no dataset of that id"):
        personascan.load_statements("org/none")


def test_what_an_id_is():
    for source in ("a/b", "HuggingFaceTB/SmolLM2-135M-Instruct", "a/b@main", "a/b/c.gguf"):
        assert is_hub_id(source)
    for source in (
        "a",
        "a/b/c",
        "/a/b",
        "../a/b",
        "a b/c",
        "pypi:x==1",
        "./nothing",
        "~/a",
        ".cache/b",
        "a/.b",
        "models/a.safetensors",
        "out/rows.npz",
        "a/b.CSV",
    ):
        assert not is_hub_id(source)


def test_what_the_index_names_is_fetched_whatever_it_is_called(hub):
    """And no other safetensors file of the repository."""
    files = hub.models["org/tiny"]
    index = json.loads(files["model.safetensors.index.json"])
    shards = sorted(set(index["weight_map"].values()))
    renamed = {old: f"part_{i}.safetensors" for i, old in enumerate(shards)}
    index["weight_map"] = {name: renamed[old] for name, old in index["weight_map"].items()}
    hub.models["org/other"] = {
        **{renamed.get(name, name): content for name, content in files.items()},
        "model.safetensors.index.json": json.dumps(index).encode(),
        "model-00009-of-00009.safetensors": b"of another checkpoint",
    }
    expected = personascan.load_model("org/tiny").params
    found = personascan.load_model("org/other").params
    equal = jax.tree.map(lambda a, b: bool((a == b).all()), found, expected)
    assert all(jax.tree.leaves(equal))
    assert not [p for p in hub.asked if "org/other" in p and "00009-of-00009" in p]
    index["weight_map"]["more"] = "part_99.safetensors"
    hub.models["org/third"] = hub.models["org/other"] | {
        "model.safetensors.index.json": json.dumps(index).encode()
    }
    with pytest.raises(personascan.InputError, match=r"names .part_99.*which the repository lacks"):
        personascan.load_model("org/third")


def test_a_single_file_goes_before_an_index(hub):
    hub.models["org/both"] = hub.models["org/tiny"] | {"model.safetensors": b"x"}
    with pytest.raises(personascan.InputError, match="corrupt or truncated"):
        personascan.load_model("org/both")
    assert not [p for p in hub.asked if "org/both" in p and "of-000" in p]


def test_a_damaged_copy_is_fetched_again_or_refused(hub, tmp_path, capsys):
    first = personascan.load_model("org/tiny", cache=False)
    blobs = [p for p in (tmp_path / "hub").rglob("blobs/*") if p.stat().st_size > 10_000]
    for blob in blobs[:2]:
        content = bytearray(blob.read_bytes())
        content[len(content) // 2] ^= 4
        blob.write_bytes(content)
    again = personascan.load_model("org/tiny", cache=False)
    assert capsys.readouterr().err.count("is damaged; fetched anew") == 2
    assert again.sha256 == first.sha256
    blob.write_bytes(content)
    hub.shutdown()
    hub.server_close()
    with pytest.raises(personascan.InputError, match="is damaged, and the hub cannot be reached"):
        personascan.load_model("org/tiny", cache=False)


def test_all_parts_of_a_split_file_are_fetched():
    from personascan.hub import same_file

    names = ["m-00001-of-00002.gguf", "m-00002-of-00002.gguf", "m-00001-of-00003.gguf", "m.gguf"]
    assert [n for n in names if same_file(n, names[1])] == names[:2]
    assert [n for n in names if same_file(n, "m.gguf")] == ["m.gguf"]
