import numpy as np
import pytest

import personascan
from personascan.analysis.overlaps import exclusive_counts

LINES = """12.5 0.75 0.6 4 3 0.01 7,2,5 3,0,9,1
inf 1.0 0.2 1 2 0.01 0,7 4
3.0 0.5 0.4 2 1 0.02 2 8,3
"""


def test_every_line_is_read(tmp_path):
    path = tmp_path / "runs.out"
    path.write_text(LINES)
    found = personascan.read_deepscan_output(path)
    np.testing.assert_array_equal(found.score, [12.5, np.inf, 3.0])
    np.testing.assert_array_equal(found.precision, [0.75, 1.0, 0.5])
    np.testing.assert_array_equal(found.recall, [0.6, 0.2, 0.4])
    np.testing.assert_array_equal(found.alpha, [0.01, 0.01, 0.02])
    np.testing.assert_array_equal(found.rows[0], [0, 1, 3, 9])
    np.testing.assert_array_equal(found.nodes[1], [0, 7])
    frequency = found.nodes_RD(9).mean(0)
    np.testing.assert_allclose(frequency[[0, 2, 5, 7, 8]], [1 / 3, 2 / 3, 1 / 3, 2 / 3, 0])
    assert found.rows_RN(10).sum() == 7
    assert "3 runs: precision 0.7500" in found.summary()
    assert len(found.first(2).nodes) == 2
    counts = exclusive_counts({"a": frequency > 0, "b": frequency >= 0.5})
    assert counts == {("a",): 2, ("a", "b"): 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no runs"),
        ("1 2 3\n", "line 1 is not a run .*3 fields"),
        (LINES + "a 1 1 1 1 0.01 1 1\n", "line 4 is not a run"),
        ("1 1 1 2 1 0.01 5 1\n", "it lists 1 rows and 1 nodes, not 2 and 1"),
    ],
)
def test_other_files_are_refused_by_line(tmp_path, text, message):
    path = tmp_path / "runs.out"
    path.write_text(text)
    with pytest.raises(personascan.InputError, match=message):
        personascan.read_deepscan_output(path)
    with pytest.raises(personascan.InputError, match="cannot be read"):
        personascan.read_deepscan_output(tmp_path / "none.out")


def test_a_node_outside_the_layer_is_refused(tmp_path):
    path = tmp_path / "runs.out"
    path.write_text(LINES)
    with pytest.raises(personascan.InputError, match="node 7; there are only 5"):
        personascan.read_deepscan_output(path).nodes_RD(5)
