"""What is said of each image: two labels with their probabilities, and a status."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TextIO

import numpy as np

OK, ABSTAINED, REJECTED, UNREADABLE = STATUSES = ("ok", "abstained", "rejected", "unreadable")


class Row(NamedTuple):
    """Holds what is said of one image, in the order of the columns.

    A label is empty where none of the classes is meant.
    """

    path: str
    label: str = ""
    confidence: float | None = None  # In 0..1, that the label is right.
    second_label: str = ""
    second_confidence: float | None = None
    status: str = UNREADABLE


def image_rows(
    paths: Sequence[str], classes: Sequence, probs: np.ndarray, none: np.ndarray, abstain: float
) -> Iterator[Row]:
    """Yields a row for each image.

    Args:
        paths: `[B]`.
        classes: `[N]`.
        probs: `[B, N]`, how likely each image is of each class.
        none: `[B]`, how likely it is of none of them.
        abstain: Least probability of a label that is taken for right.
    """
    names = [*map(str, classes), ""]
    everything = np.concatenate([probs, none[:, np.newaxis]], axis=1)
    order = np.argsort(-everything, axis=1, kind="stable")[:, :2]
    for path, values, (best, second) in zip(paths, everything, order, strict=True):
        status = OK if values[best] >= abstain else ABSTAINED
        if best == len(classes):
            status = REJECTED
        pair = (names[best], float(values[best]), names[second], float(values[second]))
        yield Row(path, *pair, status)


def write_rows(file: TextIO, rows: Iterable[Row]) -> dict[str, int]:
    """Writes rows as CSV with a header, and returns how many there are of each status."""
    counts = dict.fromkeys(STATUSES, 0)
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(Row._fields)
    for row in rows:
        counts[row.status] += 1
        writer.writerow(
            "" if value is None else f"{value:.4f}" if isinstance(value, float) else value
            for value in row
        )
    return counts
