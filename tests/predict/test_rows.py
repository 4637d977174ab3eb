"""Tests of `predict/rows.py` and `predict/proposals.py`."""

import csv
import io

import numpy as np

from lst_tf2.predict.proposals import doubt_of, propose
from lst_tf2.predict.rows import Row, image_rows, write_rows


def test_status_and_labels():
    probs = np.array([[0.9, 0.05], [0.5, 0.3], [0.1, 0.2], [0.3, 0.3]])
    none = np.array([0.05, 0.2, 0.7, 0.4])
    rows = list(image_rows(list("abcd"), ["cat", "dog"], probs, none, abstain=0.8))
    assert rows == [
        Row("a", "cat", 0.9, "dog", 0.05, "ok"),
        Row("b", "cat", 0.5, "dog", 0.3, "abstained"),
        Row("c", "", 0.7, "dog", 0.2, "rejected"),
        Row("d", "", 0.4, "cat", 0.3, "rejected"),
    ]


def test_rows_as_csv():
    file = io.StringIO()
    rows = [Row("a, b\n.png", "c", 0.5, "", 0.25, "ok"), Row("gone.png")]
    counts = write_rows(file, iter(rows))
    assert counts == {"ok": 1, "abstained": 0, "rejected": 0, "unreadable": 1}
    header, first, second = csv.reader(io.StringIO(file.getvalue()))
    assert header == ["path", "label", "confidence", "second_label", "second_confidence", "status"]
    assert first == ["a, b\n.png", "c", "0.5000", "", "0.2500", "ok"]
    assert second == ["gone.png", "", "", "", "", "unreadable"]


def test_doubt_is_largest_where_all_is_possible():
    probs = np.array([[1.0, 0], [0, 0], [1 / 3, 1 / 3], [0.5, 0.5]])
    np.testing.assert_allclose(doubt_of(probs), [0, 0, np.log(3), np.log(2)], atol=1e-6)


def test_proposals_are_of_each_heap_in_doubt():
    rng = np.random.default_rng(0)
    centres = np.eye(3, 8) * 5
    points = np.repeat(centres, 20, axis=0) + rng.normal(0, 0.2, (60, 8))
    # The first heap is sure, the second in doubt, the third in more.
    probs = np.repeat([[0.99, 0.01], [0.7, 0.3], [0.5, 0.5]], 20, axis=0)
    chosen = propose(points, probs, 2)
    assert [row // 20 for row in chosen] == [2, 1]
    assert len(set(propose(points, probs, 60))) == 60
