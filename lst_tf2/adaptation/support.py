"""Learning from the support set alone: what every method is compared with."""

import tensorflow as tf

from lst_tf2.adaptation.method import Evidence, Method, Selection
from lst_tf2.adaptation.parts import (
    StageConfig,
    finish_on_support,
    fit_by_descent,
    label_by_classifier,
    leave_unweighted,
)


def keep_nothing(evidence: Evidence, probs: tf.Tensor) -> Selection:
    """Selects no example."""
    return Selection(tf.zeros([0], tf.int32), probs[:0])


def build(config: StageConfig, learner) -> Method:
    """Returns the method; `learner` has no part in it."""
    return Method(
        label=label_by_classifier,
        select=keep_nothing,
        weigh=leave_unweighted,
        fit=fit_by_descent(config),
        finish=finish_on_support(config),
    )
