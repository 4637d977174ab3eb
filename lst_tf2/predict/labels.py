"""Reads labels as scikit-learn's semi-supervised estimators do: -1 is unlabeled."""

from typing import Any

import numpy as np
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from lst_tf2.errors import check

UNLABELED = -1
UNLABELED_TEXTS = ("-1", "-1.0")


def encode_labels(labels: Any) -> tuple[np.ndarray, np.ndarray]:
    """Returns the classes, sorted, and `[n]` int of each label's place there, -1 for unlabeled.

    Args:
        labels: `[n]` of numbers or texts; -1 is unlabeled, among texts too.

    Raises:
        InputError: If there are less than two classes.
        ValueError: If they are no labels of classes.
    """
    values = column_or_1d(labels, warn=True)
    # -1 among texts as well; 255 of unsigned numbers is a class.
    is_unlabeled = np.array([str(value) in UNLABELED_TEXTS for value in values], bool)
    named = values[~is_unlabeled]
    if len(named):
        check_classification_targets(named)
        named = np.array(named.tolist()) if named.dtype.kind == "O" else named
    classes, places = np.unique(named, return_inverse=True)
    check(
        len(classes) > 1,
        "labeled images of two classes or more",
        f"{len(classes)} class" + ("" if len(classes) == 1 else "es"),
        "label one image of another class",
    )
    encoded = np.full(len(values), UNLABELED)
    encoded[~is_unlabeled] = places
    return classes, encoded
