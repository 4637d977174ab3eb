"""LST with labels that spread over a graph of neighbours (arXiv:1805.10002)."""

import dataclasses

import numpy as np
import tensorflow as tf

from lst_tf2.adaptation import lst
from lst_tf2.adaptation.graph import TINY, normalize_both_ways
from lst_tf2.adaptation.method import Evidence, Label, Method, candidates
from lst_tf2.settings import setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelPropagationConfig(lst.LstConfig):
    """Describes the graph, beside all that LST takes."""

    neighbours: int = setting(20, at_least=1, search=(5, 10, 20, 30))
    alpha: float = setting(0.99, above=0, at_most=0.999, search=(0.5, 0.8, 0.9, 0.99))


def build(config: LabelPropagationConfig, learner) -> Method:
    """Returns LST with another first part: it selects, weighs and fits as ever."""
    return dataclasses.replace(lst.build(config, learner), label=propagate(config))


def propagate(config: LabelPropagationConfig) -> Label:
    """Returns labels in closed form: `(I - alpha S)^-1 Y` over support and unlabeled examples."""

    def label(evidence: Evidence) -> tf.Tensor:
        graph = neighbour_graph(candidates(evidence).embeddings, config.neighbours)
        graph = normalize_both_ways(graph)
        count = evidence.unlabeled.embeddings.shape[0]
        known = tf.one_hot(evidence.support_labels, evidence.way, dtype=graph.dtype)
        known = tf.pad(known, [[count, 0], [0, 0]])  # Unlabeled rows come first.
        identity = tf.eye(known.shape[0], dtype=graph.dtype)
        scores = tf.nn.relu(tf.linalg.solve(identity - config.alpha * graph, known)[:count]) + TINY
        return scores / tf.reduce_sum(scores, axis=1, keepdims=True)

    return label


def neighbour_graph(embeddings: tf.Tensor, neighbours: int) -> tf.Tensor:
    """Returns similarities `[B, B]` in 0..1 of `embeddings` `[B, D]`, zero but for neighbours.

    They are Gaussian in the distance, relative to the mean squared distance of neighbours.
    """
    count = embeddings.shape[0]
    differences = embeddings[:, tf.newaxis] - embeddings
    distances = tf.reduce_sum(differences**2, axis=-1)
    distances = tf.linalg.set_diag(distances, tf.fill([count], np.inf))  # Nobody's own neighbour.
    nearest = -tf.math.top_k(-distances, min(neighbours, count - 1)).values
    graph = tf.exp(-distances / (2 * tf.reduce_mean(nearest) + TINY))
    is_near = distances <= nearest[:, -1:]
    return tf.where(is_near | tf.transpose(is_near), graph, 0.0)
