"""Soft k-means on the sphere: classes are directions, and cosines say what belongs to them.

As in the transductive part of EASY (arXiv:2201.09699), but queries have no part in it. Without a
step it is the nearest class mean: what a backbone is worth before any unlabeled image is seen.
"""

import dataclasses

import tensorflow as tf

from lst_tf2.adaptation.inner_loop import Path
from lst_tf2.adaptation.method import Evidence, Fit, Label, Method, PseudoLabeled, Select, Selection
from lst_tf2.adaptation.parts import leave_unweighted, mean_directions, repeat
from lst_tf2.settings import Settings, setting
from lst_tf2.structures import Classifier


@dataclasses.dataclass(frozen=True, kw_only=True)
class SphericalKMeansConfig(Settings):
    """Describes how sharply cosines tell the classes apart, and how often means move.

    Where distractors are in the pile one step is best, as each further one lets in more.
    """

    temperature: float = setting(10.0, above=0, search=(5.0, 10.0, 15.0, 20.0))
    steps: int = setting(3, at_least=0, search=(1, 3, 10))


def build(config: SphericalKMeansConfig, learner) -> Method:
    """Returns the method; it needs nothing of `learner` but its embeddings."""
    return Method(
        label=assign(config),
        select=keep_softly(config),
        weigh=leave_unweighted,
        fit=fit(config),
    )


def assign(config: SphericalKMeansConfig) -> Label:
    """Returns what finds the probabilities `[U, N]` that the last step takes means by."""

    def label(evidence: Evidence) -> tf.Tensor:
        unlabeled = evidence.unlabeled.embeddings
        on_sphere = tf.nn.l2_normalize(unlabeled, axis=1)

        def assigned(shares):
            cosines = on_sphere @ directions(evidence, unlabeled, shares)
            return tf.nn.softmax(config.temperature * cosines)

        nothing = tf.zeros([unlabeled.shape[0], evidence.way])
        return repeat(max(1, config.steps), assigned, nothing)

    return label


def keep_softly(config: SphericalKMeansConfig) -> Select:
    """Returns what keeps all unlabeled examples as soft members; none where there is no step."""

    def select(evidence: Evidence, probs: tf.Tensor) -> Selection:
        probs = probs if config.steps else probs[:0]
        return Selection(tf.range(probs.shape[0]), probs)

    return select


def fit(config: SphericalKMeansConfig) -> Fit:
    """Returns a path of one step: the directions of support and soft members, without a bias."""

    def fit_directions(evidence: Evidence, chosen: PseudoLabeled) -> Path:
        found = directions(evidence, chosen.features.embeddings, chosen.targets)
        return Path(Classifier(config.temperature * found, tf.zeros_like(found[0])))

    return fit_directions


def directions(evidence: Evidence, members: tf.Tensor, shares: tf.Tensor) -> tf.Tensor:
    """Returns the mean directions `[D, N]` of the classes, columns of norm 1.

    Args:
        evidence: With the support set, each of whose examples counts once.
        members: Embeddings `[R, D]`.
        shares: `[R, N]`, how much each counts in each class.
    """
    known = tf.one_hot(evidence.support_labels, evidence.way)
    embeddings = tf.concat([evidence.support.embeddings, members], axis=0)
    on_sphere = tf.nn.l2_normalize(embeddings, axis=1)
    return mean_directions(on_sphere, tf.concat([known, shares], axis=0))
