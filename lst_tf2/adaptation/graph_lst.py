"""Self-training that grows over a graph, and leaves out what fits no class.

Walks start at each image and go from neighbour to neighbour among support and unlabeled images;
at each step one ends with probability `1 - alpha`. How likely it is that a walk first meets an
image known to be of a class before it ends says how well the image fits that class, whatever the
other classes do, and however many images they have. The sure ones become known, a few in
each round, and walks start again. Where a whole cluster of distractors was taken for a class this
shows in long walks, which only support images end: few of them come as far as the class's.
"""

import dataclasses
import math

import tensorflow as tf

from lst_tf2.adaptation.graph import TINY, scaled_graph
from lst_tf2.adaptation.inner_loop import Path
from lst_tf2.adaptation.logistic import fit_logistic
from lst_tf2.adaptation.method import (
    Evidence,
    Fit,
    Label,
    Method,
    PseudoLabeled,
    Select,
    Selection,
    candidates,
)
from lst_tf2.adaptation.parts import (
    first_in_class,
    harden,
    leave_unweighted,
    mean_directions,
    repeat,
)
from lst_tf2.settings import Settings, setting
from lst_tf2.structures import Classifier

# Of a probability, where its logarithm is taken.
LEAST = 1e-4


@dataclasses.dataclass(frozen=True, kw_only=True)
class GraphLstConfig(Settings):
    """Describes the graph, the growth, what is kept, and the head.

    `lst tune` chooses these on validation classes.
    """

    # The graph: of similarities by local scale among as many neighbours; fewer in a small pile, at
    # most `pile_root` times the root of its size. Walks on it are found in `walk_steps` steps again
    # each round, in `long_steps` where they are long.
    neighbours: int = setting(15, at_least=1, search=(8, 10, 15, 20))
    pile_root: float = setting(0.8, above=0)
    sharpness: float = setting(2.0, at_least=0, search=(1.0, 2.0, 3.0))
    alpha: float = setting(0.7, above=0, at_most=0.999, search=(0.6, 0.7, 0.8))
    walk_steps: int = setting(3, at_least=1)
    long_alpha: float = setting(0.97, above=0, at_most=0.999)
    long_steps: int = setting(15, at_least=1)
    # The growth: known is what is among the best `grown_per_round` of its class in a round (in a
    # large pile `grown_share` of the images there are for a class), leaves the other classes less
    # than 1 - `share`, and is as near as `cohesion` of what the known ones are.
    rounds: int = setting(8, at_least=0, search=(8, 12, 16))
    grown_per_round: int = setting(8, at_least=1)
    grown_share: float = setting(0.067, at_least=0, at_most=1)
    share: float = setting(0.6, above=0, at_most=1, search=(0.5, 0.6, 0.7, 0.8))
    cohesion: float = setting(0.5, at_least=0, search=(0.4, 0.5, 0.6, 0.7))
    # The probability of a class: logistic in the logit of meeting it, and in the logarithm of
    # meeting its support images by a long walk, which counts `long_weight` times as much.
    long_weight: float = setting(0.7, at_least=0, search=(0.0, 0.35, 0.7, 1.0))
    slope: float = setting(1.49, above=0)
    offset: float = setting(3.09)
    # What is kept: an image of a class with a probability above `keep_above`. It counts as likely
    # as it is of any class, to the power `trust`; 0: each alike. Embeddings lose `centring` of
    # their mean; then labels move in `refine_steps` of soft k-means on the sphere, where a cosine
    # counts `temperature` times.
    trust: float = setting(0.0, at_least=0, search=(0.0, 1.0, 2.0))
    centring: float = setting(0.0, at_least=0, at_most=1, search=(0.0, 0.5, 1.0))
    refine_steps: int = setting(0, at_least=0, search=(0, 1, 3))
    temperature: float = setting(10.0, above=0)
    keep_above: float = setting(0.82, at_least=0, at_most=1, search=(0.4, 0.6, 0.7, 0.8, 0.9))
    # The head: logistic regression on the sphere, every class of the same weight.
    support_share: float = setting(0.3, above=0, at_most=1, search=(0.2, 0.3, 0.4, 0.5))
    penalty: float = setting(0.01, above=0, search=(0.003, 0.01, 0.03))
    head_steps: int = setting(50, at_least=1)


def build(config: GraphLstConfig, learner) -> Method:
    """Returns the method; it needs nothing of `learner` but its embeddings."""
    return Method(
        label=label_by_growth(config),
        select=keep_likely(config),
        weigh=leave_unweighted,
        fit=fit_balanced(config),
    )


def fit_to_pile(config: GraphLstConfig, pile: int, way: int) -> GraphLstConfig:
    """Returns the settings with fewer neighbours in a small pile, a faster growth in a large one.

    Args:
        config: For piles between.
        pile: Unlabeled images, distractors among them.
        way: Classes.
    """
    return dataclasses.replace(
        config,
        neighbours=max(1, min(config.neighbours, round(config.pile_root * math.sqrt(pile)))),
        grown_per_round=max(config.grown_per_round, round(config.grown_share * pile / way)),
    )


def label_by_growth(config: GraphLstConfig) -> Label:
    """Returns probabilities whose sum lacks of 1 what is left for none of the classes."""

    def label(evidence: Evidence) -> tf.Tensor:
        count = evidence.unlabeled.embeddings.shape[0]
        return grow_and_label(evidence, fit_to_pile(config, count, evidence.way))

    return label


def grow_and_label(evidence: Evidence, config: GraphLstConfig) -> tf.Tensor:
    """Returns `[U, N]`, how likely each unlabeled image is of each class."""
    walk = neighbour_walk(candidates(evidence).embeddings, config)
    support = tf.one_hot(evidence.support_labels, evidence.way)
    count = evidence.unlabeled.embeddings.shape[0]
    nothing, reached = tf.zeros([count, evidence.way]), tf.zeros([evidence.way, walk.shape[0]])

    def find(members, reached, alpha, steps):
        known = tf.concat([members, support], axis=0)
        reached, scores = meet(walk, known, reached, alpha=alpha, steps=steps)
        return reached, scores[:count]

    def grow(state):
        members, reached = state
        reached, scores = find(members, reached, config.alpha, config.walk_steps)
        return members + join(config, scores, members), reached

    _, far = find(nothing, reached, config.long_alpha, config.long_steps)
    members, reached = repeat(config.rounds, grow, (nothing, reached))
    _, near = find(members, reached, config.alpha, config.walk_steps)
    scores = logit(near) + config.long_weight * tf.math.log(far + LEAST)
    probs = tf.sigmoid(config.offset + config.slope * scores)
    return probs / tf.maximum(tf.reduce_sum(probs, axis=1, keepdims=True), 1)


def neighbour_walk(embeddings: tf.Tensor, config: GraphLstConfig) -> tf.Tensor:
    """Returns how likely a step leads from each column to each row, `[B, B]`; columns sum to 1.

    Args:
        embeddings: `[B, D]`; centred by their mean, which all directions share.
        config: Of the graph.
    """
    centred = tf.nn.l2_normalize(embeddings - tf.reduce_mean(embeddings, axis=0), axis=1)
    graph = scaled_graph(centred, config.neighbours, config.sharpness)
    return graph / (tf.reduce_sum(graph, axis=0) + TINY)


def meet(
    walk: tf.Tensor, known: tf.Tensor, reached: tf.Tensor, *, alpha: float, steps: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns how likely walks first meet what is known of each class before they end.

    Found by Chebyshev's semi-iteration (Golub and Varga, 1961): where `alpha` is 0.97, 15 steps
    leave a smaller error than 60 plain ones.

    Args:
        walk: `[U + S, U + S]`, columns that sum to 1.
        known: `[U + S, N]`, 1 where an image is known to be of a class, else 0.
        reached: `[N, U + S]`, what was found when less was known, or 0.
        alpha: How likely a walk goes on at each step.
        steps: Of the iteration.

    Returns:
        For the next time, `[N, U + S]`, what is known 1; and `[U + S, N]` in 0..1, from each
        one's neighbours, whether it is known or not.
    """
    # A row for each class: a few rows by a large matrix take half the time of a few columns.
    known = tf.transpose(known)
    is_known = tf.reduce_sum(known, axis=0) > 0

    def look(reached):
        return alpha * (reached @ walk)

    def pin(reached):
        return tf.where(is_known, known, reached)

    def step(state):
        latest, previous, factor = state
        factor = 1 / (1 - alpha**2 / 4 * factor)
        return previous + factor * (pin(look(latest)) - previous), latest, factor

    start = pin(reached)
    latest = repeat(steps - 1, step, (pin(look(start)), start, 2.0))[0]
    # Where it has not converged, values may lie outside.
    return latest, tf.transpose(tf.clip_by_value(look(latest), 0, 1))


def join(config: GraphLstConfig, scores: tf.Tensor, members: tf.Tensor) -> tf.Tensor:
    """Returns `[U, N]`, 1 where an unlabeled image becomes known to be of a class."""
    best = harden(scores)
    top = tf.reduce_max(scores, axis=1, keepdims=True)
    counts = tf.reduce_sum(members, axis=0)
    means = tf.reduce_sum(members * scores, axis=0) / tf.maximum(counts, 1)
    is_sure = top > config.share * tf.reduce_sum(scores, axis=1, keepdims=True)
    is_near = scores >= config.cohesion * means
    is_free = tf.reduce_sum(members, axis=1, keepdims=True) == 0
    fits = best * tf.cast(is_sure & is_near & is_free, best.dtype)
    return tf.sign(first_in_class(fits, -top[:, 0], config.grown_per_round))


def logit(probs: tf.Tensor) -> tf.Tensor:
    """Returns the logarithms of the odds, finite ones for 0 and 1."""
    probs = tf.clip_by_value(probs, LEAST, 1 - LEAST)
    return tf.math.log(probs / (1 - probs))


def keep_likely(config: GraphLstConfig) -> Select:
    """Returns a selection of what is of a class with a probability above `keep_above`."""

    def select(evidence: Evidence, probs: tf.Tensor) -> Selection:
        is_kept = tf.cast(tf.reduce_max(probs, axis=1) > config.keep_above, probs.dtype)
        weights = is_kept * tf.reduce_sum(probs, axis=1) ** config.trust
        return Selection(tf.range(probs.shape[0]), harden(probs), weights)

    return select


def fit_balanced(config: GraphLstConfig) -> Fit:
    """Returns a logistic regression in which every class weighs the same.

    The support images of a class have `support_share` of its weight, all of it where none of
    the unlabeled images is kept. It is fitted on the sphere: the length of a query, from the mean
    of the embeddings where that is taken off, changes no decision.
    """

    def fit(evidence: Evidence, chosen: PseudoLabeled) -> Path:
        support = tf.one_hot(evidence.support_labels, evidence.way)
        pair = (evidence.support.embeddings, chosen.features.embeddings)
        embeddings = tf.concat(pair, axis=0)
        mean = config.centring * tf.reduce_mean(embeddings, axis=0)
        on_sphere = tf.nn.l2_normalize(embeddings - mean, axis=1)
        kept = chosen.loss_weights[:, tf.newaxis]
        count = support.shape[0]

        def refine(targets):
            means = mean_directions(on_sphere, tf.concat([support, kept * targets], axis=0))
            return tf.nn.softmax(config.temperature * (on_sphere[count:] @ means))

        targets = repeat(config.refine_steps, refine, chosen.targets)
        kernel, _ = fit_logistic(
            on_sphere,
            tf.concat([support, targets], axis=0),
            balanced_weights(support, kept * targets, config.support_share),
            penalty=config.penalty,
            steps=config.head_steps,
            has_bias=False,
        )
        return Path(Classifier(kernel, -tf.linalg.matvec(kernel, mean, transpose_a=True)))

    return fit


def balanced_weights(support: tf.Tensor, kept: tf.Tensor, support_share: float) -> tf.Tensor:
    """Returns weights `[S + R]` of examples by which every class weighs 1.

    Args:
        support: `[S, N]`, one-hot.
        kept: `[R, N]`, how much each of the others counts in each class.
        support_share: Of the weight of a class that has others.
    """
    counts = tf.reduce_sum(kept, axis=0)
    shares = tf.where(counts > 0, support_share, 1.0)
    own = tf.linalg.matvec(support, shares / tf.reduce_sum(support, axis=0))
    others = tf.linalg.matvec(kept, (1 - shares) / tf.maximum(counts, 1))
    return tf.concat([own, others], axis=0)
