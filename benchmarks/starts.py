"""What each start of the ascent buys, against the best of 200 random ones."""

import time
from collections.abc import Iterator

import numpy as np
from matplotlib.figure import Figure

from benchmarks.simulate import KINDS, digits_problem, problem
from benchmarks.speed import benchmark_pool
from personascan.scan.group_scan import group_scan
from personascan.scan.options import FIXED_STARTS
from personascan.scan.runs import scan_runs
from personascan.scan.starts import MIX

SHAPES = ((20, 40), (40, 576), (50, 300), (100, 1000), (200, 600), (50, 4096))  # rows, nodes
RANDOM_STARTS = 200
TICKS = (1, 2, 3, 5, 10, 20, 50, 100, 200)
BACKGROUND = 100
LABELS = ("all rows", "all nodes", *(f"{kind} {share:g}" for kind, share in MIX))


def measure_starts(shapes=SHAPES, scores=("bj", "hc", "ks"), kinds=KINDS) -> Iterator[dict]:
    """Mean share of the best of 200 random starts, after each two-sided start of ours and of those.

    Yields one line for each shape and score: `reached` after 1, 2, ... fixed starts, `random`
    after as many random ones, both averaged over one problem of each kind.
    """
    for rows, nodes in shapes:
        for score in scores:
            ours, random = [], []
            for i, kind in enumerate(kinds):
                rng = np.random.default_rng([rows, nodes, i])
                arrays = problem(rng, kind, rows, nodes, BACKGROUND)
                sets_SM = rng.random((RANDOM_STARTS, rows)) < rng.random((RANDOM_STARTS, 1))
                sets_SM[~sets_SM.any(1), 0] = True
                by_random = group_scan(*arrays, score=score, tail="two", starts=sets_SM)
                by_ours = group_scan(*arrays, score=score, tail="two", starts=FIXED_STARTS)
                for found, into in ((by_ours, ours), (by_random, random)):
                    into.append(np.maximum.accumulate(found.start_scores) / by_random.score)
            yield {
                "what": f"starts, {rows} x {nodes}, {score}",
                "problems": len(kinds),
                "reached": np.mean(ours, axis=0).round(4).tolist(),
                "lowest": round(float(np.min(ours, axis=0)[-1]), 4),
                "random": np.mean(random, axis=0).round(4).tolist(),
            }


SMALL_WIDTHS = (40, 90, 170, 300)
SMALL_KINDS = ("null", "correlated", "sparse", "block", "dense")


def small_problems(rng, nodes: int, count: int):
    """A pool and masks of problems of one width, 20-60 rows against 40-150, one in each run."""
    sizes = [(int(rng.integers(40, 151)), int(rng.integers(20, 61))) for _ in range(count)]
    kinds = [SMALL_KINDS[i % len(SMALL_KINDS)] for i in range(count)]
    parts = [
        problem(rng, kind, rows, nodes, background)
        for kind, (background, rows) in zip(kinds, sizes, strict=True)
    ]
    part_N = np.repeat(np.arange(2 * count), np.ravel(sizes))
    pool_ND = np.concatenate([half for pair in parts for half in pair])
    background_RN, evaluation_RN = (
        part_N == (2 * np.arange(count) + half)[:, None] for half in (0, 1)
    )
    return pool_ND, background_RN, evaluation_RN


def measure_small(widths=SMALL_WIDTHS, scores=("bj", "hc", "ks"), count: int = 10, seed: int = 21):
    """What the default and ten starts reach of 200 random ones, and of the best of all three."""
    found = {"auto": [], "ten": [], "random": []}
    for i, nodes in enumerate(widths):
        for j, score in enumerate(scores):
            rng = np.random.default_rng([seed, i, j])
            problems = small_problems(rng, nodes, count)
            density_S1 = rng.uniform(0.05, 1, (RANDOM_STARTS, 1))
            sets_SN = rng.random((RANDOM_STARTS, len(problems[0]))) < density_S1
            for name, starts in (("auto", "auto"), ("ten", FIXED_STARTS), ("random", sets_SN)):
                scan = scan_runs(
                    *problems, score=score, tail=("right", "signed")[(i + j) % 2], starts=starts
                )
                found[name].append(scan.score[0])
    reached = {name: np.concatenate(scores) for name, scores in found.items()}
    best = np.maximum.reduce(list(reached.values()))
    for name in ("auto", "ten"):
        line = {"what": f"starts, small problems, {name}", "problems": len(best)}
        for of, against in (("random", reached["random"]), ("best", best)):
            share = reached[name] / against
            line |= {f"mean of {of}": round(float(share.mean()), 4)}
            line |= {f"worst of {of}": round(float(share.min()), 4)}
        yield line
    yield measure_cost()


def measure_cost(nodes: int = 4096, runs: int = 100, repeats: int = 5) -> dict:
    """Seconds of the default and of ten starts, by turns, on what the bound on cost is set for."""
    arrays = benchmark_pool(nodes, runs)
    seconds = {"auto": [], FIXED_STARTS: []}
    for _ in range(1 + repeats):  # the first ones compile
        for starts, into in seconds.items():
            began = time.perf_counter()
            scan_runs(*arrays, starts=starts, alphas="grid")
            into.append(time.perf_counter() - began)
    auto, ten = (np.array(found[1:]) for found in seconds.values())
    line = {"what": f"{runs} group runs, 50 x {nodes}, grid alphas", "of": repeats}
    line |= {"auto": round(float(np.median(auto)), 3), "ten": round(float(np.median(ten)), 3)}
    return line | {"times_ten": round(float(np.median(auto / ten)), 2)}


DIGIT_SHARES = (0.5, 0.1, 0.0)  # of the rows that carry noise
DIGIT_SIZES = ((8, 300, 12), (16, 200, 2))  # pixels a side, rows, problems


def measure_digits(sizes=DIGIT_SIZES, seed: int = 31) -> Iterator[dict]:
    """What the default and ten starts reach of the best known, on digits through a convolution.

    The best known is that of both and of ascents from the rows of each label, noised or clean, of
    another score's result, single and random ones. Yields a line for each problem, then a summary.
    """
    lines = []
    for size, rows, count in sizes:
        for i in range(count):
            rng = np.random.default_rng([seed, size, i // 2])
            share, tail = DIGIT_SHARES[i // 2 % len(DIGIT_SHARES)], ("right", "signed")[i % 2]
            *arrays, noised_N = digits_problem(rng, rows, share, size)
            reached = reach_on_digits(rng, *arrays, noised_N, tail)
            what = f"starts, digits, {rows} x {arrays[0].shape[1]}, {share:g} noised, {tail}"
            lines.append({"what": what} | reached)
            yield lines[-1]
    summary = {"what": "starts, digits", "problems": len(lines)}
    for name in ("auto", "ten"):
        share = np.array([line[name] for line in lines])
        summary |= {f"mean of {name}": round(float(share.mean()), 4)}
        summary |= {f"worst of {name}": float(share.min())}
    yield summary


def reach_on_digits(rng, values_ND, label_N, background_N, evaluated_N, noised_N, tail) -> dict:
    """The shares of one problem, and which row sets led to the best known."""

    def scan(starts, score="bj"):
        masks = background_N[None], evaluated_N[None]
        return scan_runs(values_ND, *masks, starts=starts, score=score, tail=tail, alphas="log")

    rows = np.flatnonzero(evaluated_N)
    labels = [label_N == label for label in range(10)]
    single_SN = np.arange(len(label_N)) == rng.choice(rows, (20, 1), replace=False)
    random_SN = rng.random((60, len(label_N))) < rng.random((60, 1)) ** 2
    sets = {
        "labels": labels,
        "noised or clean": [noised_N, ~noised_N, *(one & noised_N for one in labels)],
        "the other score's": [scan(FIXED_STARTS, "hc").rows[0, 0]],
        "single rows": single_SN,
        "random": random_SN,
    }
    kind_S = np.repeat(list(sets), [len(part) for part in sets.values()])
    sets_SN = np.concatenate(list(sets.values())) & evaluated_N
    sets_SN[~sets_SN.any(1), rows[0]] = True
    known = scan(sets_SN)
    auto, ten = scan("auto"), scan(FIXED_STARTS)
    best = max(found.score[0, 0] for found in (known, auto, ten))
    line = {"auto": auto, "ten": ten, "known": known}
    line = {name: round(float(found.score[0, 0] / best), 4) for name, found in line.items()}
    return line | {"best set": str(kind_S[known.start_scores[0, 0].argmax()])}


def draw_starts(lines: list[dict]) -> Figure:
    """The share reached after each start, averaged over the lines, beside random starts."""
    figure = Figure(figsize=(8, 4.6), layout="constrained")
    axis = figure.subplots()
    ours, random = (np.mean([line[key] for line in lines], axis=0) for key in ("reached", "random"))
    axis.plot(np.arange(1, len(ours) + 1), ours, "o-", color="#0072B2", label="the fixed starts")
    axis.plot(np.arange(1, len(random) + 1), random, color="#D55E00", label="random starts")
    axis.axhline(0.995, color="0.4", ls="--", lw=1, label="0.995")
    for i, label in enumerate(LABELS[: len(ours)]):
        axis.annotate(
            f"+ {label}" if i else label, (i + 1, ours[i]), (2, -4), va="top",
            rotation=-55, textcoords="offset points", fontsize=7, color="#0072B2",
        )  # fmt: skip
    axis.set_xscale("log")
    axis.set_xticks(TICKS, [str(tick) for tick in TICKS])
    axis.minorticks_off()
    axis.set_xlabel("starts, in order")
    axis.set_ylabel("best score so far / best of 200 random starts")
    axis.grid(alpha=0.3)
    axis.legend(loc="lower right")
    problems = sum(line["problems"] for line in lines)
    axis.set_title(f"What each start buys: mean over {problems} scans")
    return figure
