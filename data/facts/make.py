"""True and false statements of facts -> FOLDER/TOPIC.jsonl: --out=FOLDER.

Needs countryinfo==1.0.1 and mendeleev==1.3.0 (pip install --no-deps) and WordNet's files
(apt-get install wordnet-base). The same sources and seed give the same files; those of seed 0 are
in data/facts.
"""

from personascan.command import run  # first: a signal is answered from here on

import pathlib

from absl import flags

from personascan.visible import visible

OUT = flags.DEFINE_string("out", None, "Folder for a .jsonl file a topic.", required=True)
WORDNET = flags.DEFINE_string("wordnet", "/usr/share/wordnet", "Folder of WordNet's data.noun.")
SEED = flags.DEFINE_integer("seed", 0, "Which entities lend each other what is false.")
OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace files that are there.")


def main(_) -> None:
    from facts import fact_lines
    from topics import make_topics

    from personascan.files import whole_file

    for name, found in make_topics(WORDNET.value, SEED.value).items():
        path = pathlib.Path(OUT.value) / f"{name}.jsonl"
        with whole_file(path, overwrite=OVERWRITE.value) as file:
            file.write(fact_lines(name, found).encode())
        true = sum(fact.true for fact in found)
        entities = len({fact.entity for fact in found})
        print(f"{visible(path)}: {true} true, {len(found) - true} false, {entities} groups")


if __name__ == "__main__":
    run(main, heavy=())
