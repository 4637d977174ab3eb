"""Instance credibility inference (arXiv:2003.11853), the linear variant."""

import dataclasses

import numpy as np
import tensorflow as tf

from lst_tf2.adaptation.inner_loop import classify
from lst_tf2.adaptation.logistic import fit_logistic, fit_on_sphere
from lst_tf2.adaptation.method import Evidence, Label, Method, candidates
from lst_tf2.adaptation.parts import first_in_class, harden, keep_all, leave_unweighted, repeat
from lst_tf2.settings import Settings, setting

# Keeps divisions by the norms of zero rows finite.
TINY = 1e-12
# The path goes down to this share of its first penalty.
PATH_END = 1e-3


@dataclasses.dataclass(frozen=True, kw_only=True)
class IciConfig(Settings):
    """Describes the rounds; `penalty` is 1 / C of the logistic regression.

    `path_points` penalties with `path_steps` steps each give the path. Three times the
    `logistic_steps` improve the accuracy of labels by less than 0.1 points.
    """

    neighbours: int = setting(5, at_least=1)
    dimensions: int = setting(5, at_least=1)
    moved_per_class: int = setting(5, at_least=1)
    penalty: float = setting(0.1, above=0)
    logistic_steps: int = setting(100, at_least=1)
    path_points: int = setting(100, at_least=2)
    path_steps: int = setting(5, at_least=1)


def build(config: IciConfig, learner) -> Method:
    """Returns the method; it needs nothing of `learner`."""
    return Method(
        label=label_in_rounds(config),
        select=keep_all,
        weigh=leave_unweighted,
        fit=fit_on_sphere(config.penalty),
    )


def label_in_rounds(config: IciConfig) -> Label:
    """Returns the probabilities of a classifier that most of its own labels have taught.

    Each round adds the most credible few of each class to what the next classifier learns from,
    with labels of the last one. What the rounds leave counts in the fit that follows.
    """

    def label(evidence: Evidence) -> tf.Tensor:
        count, way = evidence.unlabeled.embeddings.shape[0], evidence.way
        embeddings = tf.nn.l2_normalize(candidates(evidence).embeddings, axis=1)
        basis = local_basis(embeddings, config.neighbours, config.dimensions)
        support = tf.one_hot(evidence.support_labels, way)

        def learn(labels, is_used):
            targets = tf.concat([labels, support], axis=0)
            weights = tf.concat([is_used, tf.ones([support.shape[0]])], axis=0)
            settings = {"penalty": config.penalty, "steps": config.logistic_steps}
            found = fit_logistic(embeddings, targets, weights, **settings, has_bias=False)
            return tf.nn.softmax(classify(found, embeddings[:count]))

        def add(state):
            probs, is_used = state
            labels = harden(probs)
            doubts = first_penalties(basis, tf.concat([labels, support], axis=0), config)[:count]
            unused = labels * (1 - is_used)[:, tf.newaxis]
            places = first_in_class(unused, doubts, config.moved_per_class)
            is_used += tf.reduce_sum(tf.sign(places), axis=1)
            return learn(labels, is_used), is_used

        nothing = tf.zeros([count, way])
        start = (learn(nothing, nothing[:, 0]), nothing[:, 0])
        return repeat(count // (way * config.moved_per_class), add, start)[0]

    return label


def local_basis(embeddings: tf.Tensor, neighbours: int, dimensions: int) -> tf.Tensor:
    """Returns the locally linear embedding `[B, dimensions]`, orthonormal columns.

    Each example is a mix of its neighbours, in the embedding as before.
    """
    count = embeddings.shape[0]
    neighbours = min(neighbours, count - 1)
    distances = -2 * tf.matmul(embeddings, embeddings, transpose_b=True)
    distances += tf.reduce_sum(embeddings**2, axis=1)  # Less what a row shares.
    distances = tf.linalg.set_diag(distances, tf.fill([count], np.inf))
    nearest = tf.math.top_k(-distances, neighbours).indices
    offsets = tf.gather(embeddings, nearest) - embeddings[:, tf.newaxis]
    products = tf.matmul(offsets, offsets, transpose_b=True)
    # As usual, so that neighbours in a plane have one mix.
    ridge = 1e-3 * tf.linalg.trace(products)[:, tf.newaxis, tf.newaxis] + TINY
    shares = tf.linalg.solve(products + ridge * tf.eye(neighbours), tf.ones([count, neighbours, 1]))
    shares /= tf.reduce_sum(shares, axis=1, keepdims=True)
    mixes = sum(shares[:, k] * tf.one_hot(nearest[:, k], count) for k in range(neighbours))
    # In double precision, as the eigenvalues that count are close to 0.
    residuals = tf.cast(tf.eye(count) - mixes, tf.float64)
    vectors = tf.linalg.eigh(tf.matmul(residuals, residuals, transpose_a=True))[1]
    return tf.cast(vectors[:, 1 : 1 + dimensions], embeddings.dtype)  # The first is constant.


def first_penalties(basis: tf.Tensor, labels: tf.Tensor, config: IciConfig) -> tf.Tensor:
    """Returns the penalty `[B]` from which on each example needs a parameter of its own.

    Where `labels` are linear in the `basis` `Q` but for incidental parameters `G` `[B, N]`,
    these minimize `|(I - QQ') (labels - G)|^2 / 2` plus the penalty times the norms of their
    rows. From the penalty where all are 0 the path goes down; examples whose row stays 0 have
    labels to trust. Those of rows that do to the end are ranked by the penalty that is near.

    Args:
        basis: `[B, dimensions]`, orthonormal columns.
        labels: `[B, N]`, one-hot.
        config: Length and steps of the path.
    """

    def project(values):
        return basis @ tf.matmul(basis, values, transpose_a=True)

    rest = labels - project(labels)
    first = tf.reduce_max(tf.norm(rest, axis=1))

    def descend(state):
        i, found, rows, _ = state
        penalty = first * PATH_END ** (i / (config.path_points - 1))
        for _ in range(config.path_steps):  # Of length 1, which is right for a projection.
            rows = rest + project(rows)
            norms = tf.norm(rows, axis=1)
            rows *= tf.nn.relu(1 - penalty / (norms + TINY))[:, tf.newaxis]
        return i + 1, tf.maximum(found, tf.where(norms > penalty, penalty, 0)), rows, norms

    nothing = tf.zeros_like(labels)
    start = (tf.zeros([]), nothing[:, 0], nothing, nothing[:, 0])
    _, found, _, norms = repeat(config.path_points, descend, start)
    return tf.where(found > 0, found, norms)
