"""What a self-training method is: label, select, weigh, fit; and what it may look at."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from lst_tf2.adaptation.inner_loop import Descend, Path
from lst_tf2.structures import Classifier, Features


class Selection(NamedTuple):
    """Holds which R examples a stage trains on, and as what."""

    rows: tf.Tensor  # [R] int32 into the unlabeled rows followed by the support rows
    targets: tf.Tensor  # [R, N] float32, one-hot where labels are hard
    loss_weights: tf.Tensor | None = None  # [R] float32; None: ones


class PseudoLabeled(NamedTuple):
    """Holds the R selected examples with their features and weights."""

    rows: tf.Tensor  # [R] int32 into the unlabeled rows followed by the support rows
    features: Features  # [R, ...]
    targets: tf.Tensor  # [R, N] float32
    logit_weights: tf.Tensor  # [R, N] float32, multiply the logits; ones where nothing weighs
    loss_weights: tf.Tensor | None  # [R] float32, multiply the losses; None: ones


class Evidence(NamedTuple):
    """Holds all that a method may look at in a stage; never the query set."""

    support: Features  # [S, ...]
    support_labels: tf.Tensor  # [S] int32 in 0..N-1, each once or more
    unlabeled: Features  # [U, ...], distractors among them
    initial: Classifier  # meta-learned
    labeler: Classifier  # of the support set alone at first, then of the last stage
    accepted: PseudoLabeled  # of the last stage; empty at first
    descend: Descend  # differentiable where meta-training needs it, else a loop in the graph

    @property
    def way(self) -> int:
        """N, classes of the episode."""
        return self.initial.bias.shape[-1]

    @property
    def shot(self) -> float:
        """K, support examples for each class, the mean where classes have unlike numbers."""
        return self.support_labels.shape[0] / self.way


# Class probabilities [U, N] of the unlabeled examples; what a row lacks of 1 is for none of them.
Label = Callable[[Evidence], tf.Tensor]
Select = Callable[[Evidence, tf.Tensor], Selection]  # Of these probabilities.
Weigh = Callable[[Evidence, PseudoLabeled], PseudoLabeled]
Fit = Callable[[Evidence, PseudoLabeled], Path]
Finish = Callable[[Evidence, Path], Path]  # The path of the last stage, prolonged.


def keep_path(evidence: Evidence, path: Path) -> Path:
    """Returns `path`: nothing follows the last stage."""
    return path


@dataclasses.dataclass(frozen=True)
class Method:
    """Holds the exchangeable parts of a self-training method.

    Each stage labels the unlabeled examples, selects among them, weighs those, and fits a
    classifier. Meta-training differentiates `weigh` and `fit` of its last stage alone; `finish`
    goes on after the last stage of a test.
    """

    label: Label
    select: Select
    weigh: Weigh
    fit: Fit
    finish: Finish = keep_path
    name: str = "method"


def candidates(evidence: Evidence) -> Features:
    """Returns the features `[U + S, ...]` that the rows of a selection count."""
    pairs = zip(evidence.unlabeled, evidence.support, strict=True)
    return Features(*(tf.concat(pair, axis=0) for pair in pairs))
