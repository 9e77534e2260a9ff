"""Results show themselves: one line, a frame, a table for notebooks, axes."""

import numpy as np
import pytest
from matplotlib import pyplot

import personascan
from personascan import bars

ROWS = np.random.default_rng(0).normal(size=(60, 20))
POSITIVE = np.arange(60) < 30
ROWS[:30, :5] += 1


@pytest.fixture(scope="module")
def located():
    places = {
        personascan.Place("resid_post", layer, "last"): ROWS * (layer == 1) + ROWS[::-1]
        for layer in range(3)
    }
    return personascan.locate(places, POSITIVE, permutations=99)


@pytest.fixture(autouse=True)
def no_windows():
    pyplot.switch_backend("Agg")
    yield
    pyplot.close("all")


def results(located):
    scan = personascan.group_scan(ROWS[30:], ROWS[:30], starts=2)
    alone = personascan.individual_scan(ROWS[30:], ROWS[:30])
    runs = personascan.scan_runs(ROWS, [~POSITIVE], [POSITIVE], starts=2)
    samples = personascan.SampleOptions(10, 5, 5, 2)
    calibrated = personascan.calibrate([ROWS], POSITIVE, samples, permutations=19, runs=1)
    nodes = personascan.node_scan(ROWS[30:], ROWS[:30])
    return [located, located.nodes(), scan, alone, alone.row(0), runs, calibrated, nodes]


def test_every_result_is_a_line_and_a_table(located):
    for result in results(located):
        assert repr(result) == f"{type(result).__name__}({result.summary()})"
        assert "\n" not in repr(result)
        frame = result.to_frame()
        assert len(frame)
        assert "<table" in result._repr_html_()
    nodes = located.nodes()
    assert list(nodes.to_frame()["effect"].abs()) == sorted(abs(nodes.effect), reverse=True)
    assert set(nodes.high) | set(nodes.low) == set(np.flatnonzero(nodes.q <= 0.05))
    assert (nodes.effect[nodes.high] > 0).all()


def test_results_draw_on_axes_that_are_given_or_new(located):
    axes = pyplot.subplots()[1]
    assert located.plot(axes) is axes
    line = axes.lines[0]
    np.testing.assert_allclose(line.get_ydata(), located.z)
    assert [t.get_text() for t in axes.get_xticklabels()] == [p.name for p in located.keys]
    drawn = located.nodes().plot()
    assert drawn is not axes
    assert sum(len(line.get_xdata()) for line in drawn.lines) == 20
    bare = personascan.locate({"a": ROWS, "b": ROWS}, POSITIVE, permutations=99)
    np.testing.assert_allclose(bare.plot().lines[0].get_ydata(), bare.z)
    alone = personascan.individual_scan(ROWS[30:], ROWS[:30])
    assert sum(bar.get_height() for bar in alone.plot().patches) == 30


def test_a_bar_shows_after_a_while_and_not_inside_larger_tasks(monkeypatch, capfd):
    assert list(bars.bar(range(3), "places")) == [0, 1, 2]
    assert not capfd.readouterr().err
    monkeypatch.setattr(bars, "DELAY", 0)
    assert list(bars.bar(range(3), "places")) == [0, 1, 2]
    assert "places: " in capfd.readouterr().err
    with bars.hidden():
        assert list(bars.bar(range(3), "places")) == [0, 1, 2]
    assert not capfd.readouterr().err
    personascan.locate([ROWS, ROWS], POSITIVE, permutations=19)
    assert "places: " in capfd.readouterr().err
