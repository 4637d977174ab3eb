"""Methods of scikit-learn, for comparison: they run in NumPy, one episode after another."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from sklearn.linear_model import LogisticRegression
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

from lst_tf2.adaptation.inner_loop import Path
from lst_tf2.adaptation.method import Evidence, Fit, Label, Method, PseudoLabeled
from lst_tf2.adaptation.parts import keep_all, keep_settled, leave_unweighted
from lst_tf2.settings import Settings, setting
from lst_tf2.structures import Classifier

UNKNOWN = -1  # The label that scikit-learn expects of unlabeled examples.


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelSpreadingConfig(Settings):
    """Describes the graph; defaults are those of scikit-learn."""

    neighbours: int = setting(7, at_least=1)
    alpha: float = setting(0.2, above=0, at_most=0.999)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConfidenceConfig(Settings):
    """Describes whose labels count; defaults are those of scikit-learn.

    With one support image for each class no image is as sure as they ask for, and the method
    learns from the support set alone: raise `inverse_penalty`, the `C` of the regression.
    """

    threshold: float = setting(0.75, above=0, at_most=0.999)
    inverse_penalty: float = setting(1.0, above=0)


def build_label_spreading(config: LabelSpreadingConfig, learner) -> Method:
    """Returns labels by `LabelSpreading`, and a logistic regression on all of them."""

    def probabilities(inputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
        neighbours = min(config.neighbours, len(inputs))
        model = LabelSpreading(kernel="knn", n_neighbors=neighbours, alpha=config.alpha)
        return model.fit(inputs, labels).label_distributions_

    return Method(label_by(probabilities), keep_all, leave_unweighted, fit_regression(regression()))


def build_self_training(config: ConfidenceConfig, learner) -> Method:
    """Returns labels by `SelfTrainingClassifier`, and the logistic regression that it ends with."""
    base = regression(config.inverse_penalty)

    def probabilities(inputs: np.ndarray, labels: np.ndarray) -> np.ndarray:
        model = SelfTrainingClassifier(base(), threshold=config.threshold)
        model.fit(inputs, labels)
        probs, found = model.predict_proba(inputs), model.transduction_
        is_found = found != UNKNOWN
        probs[is_found] = np.eye(probs.shape[1])[found[is_found]]
        return probs

    return Method(label_by(probabilities), keep_settled, leave_unweighted, fit_regression(base))


def regression(inverse_penalty: float = 1.0) -> Callable[[], Any]:
    """Returns what makes a logistic regression without bias.

    Then what it prefers does not depend on the length of a query.
    """
    return lambda: LogisticRegression(C=inverse_penalty, fit_intercept=False)


def label_by(probabilities: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Label:
    """Returns labels by a function of all embeddings and their labels, support first."""

    def label(evidence: Evidence) -> tf.Tensor:
        unlabeled = evidence.unlabeled.embeddings
        inputs = tf.concat([evidence.support.embeddings, unlabeled], axis=0)
        inputs = tf.nn.l2_normalize(inputs, axis=1)
        unknown = tf.fill([unlabeled.shape[0]], UNKNOWN)
        labels = tf.concat([evidence.support_labels, unknown], axis=0)
        probs = call_numpy(probabilities, [inputs, labels], [inputs.shape[0], evidence.way])
        return probs[evidence.support_labels.shape[0] :]

    return label


def fit_regression(base: Callable[[], Any]) -> Fit:
    """Returns a fit of a logistic regression on support and selected examples."""

    def kernel_of(inputs: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
        counts = weights > 0
        rows = base().fit(inputs[counts], labels[counts]).coef_
        # Of two classes it has one row, the difference of their logits.
        return (rows if len(rows) > 1 else np.concatenate([-rows, rows]) / 2).T

    def fit(evidence: Evidence, chosen: PseudoLabeled) -> Path:
        support, labels = evidence.support.embeddings, evidence.support_labels
        weights = chosen.loss_weights
        weights = tf.ones_like(chosen.targets[:, 0]) if weights is None else weights
        inputs = tf.concat([support, chosen.features.embeddings], axis=0)
        inputs = tf.nn.l2_normalize(inputs, axis=1)
        found = tf.argmax(chosen.targets, axis=-1, output_type=labels.dtype)
        labels = tf.concat([labels, found], axis=0)
        weights = tf.concat([tf.ones_like(support[:, 0]), weights], axis=0)
        shape = [inputs.shape[1], evidence.way]
        kernel = call_numpy(kernel_of, [inputs, labels, weights], shape)
        return Path(Classifier(kernel, tf.zeros_like(kernel[0])))

    return fit


def call_numpy(fn: Callable[..., np.ndarray], inputs: list[tf.Tensor], shape: list) -> tf.Tensor:
    """Returns what `fn` makes of arrays, float32 of this shape; nothing differentiates it."""
    found = tf.numpy_function(lambda *arrays: fn(*arrays).astype(np.float32), inputs, tf.float32)
    return tf.ensure_shape(found, shape)
