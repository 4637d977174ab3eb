"""How sure a head may be, and of what: temperature, and what fits no class."""

from typing import NamedTuple

import numpy as np

# Tried for the temperature: from much surer to much less sure than the head.
TEMPERATURES = np.geomspace(0.02, 100, 171)
NEIGHBOURS = 15
SHARPNESS = 2.0
TINY = 1e-12


def softmax(logits: np.ndarray) -> np.ndarray:
    """Returns probabilities `[..., N]` of `logits`."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def fit_temperature(logits: np.ndarray, probs: np.ndarray) -> float:
    """Returns what to divide logits by, so that the head is as sure as `probs`.

    Args:
        logits: `[U, N]` of the head.
        probs: `[U, N]`, rows that sum to 1 or less; what they lack is not asked for.
    """
    losses = [-np.sum(probs * np.log(np.maximum(softmax(logits / t), TINY))) for t in TEMPERATURES]
    return float(TEMPERATURES[np.argmin(losses)])


class References(NamedTuple):
    """Holds images whose probabilities are known, neighbours of those to come.

    A new image is of none of the classes as much as its neighbours are: the mean by similarity
    of what they are (Delalleau et al., 2005), by the similarity of `graph_lst`.
    """

    centre: np.ndarray  # [D] float32
    directions: np.ndarray  # [M, D] float32 of norm 1, from the centre
    scales: np.ndarray  # [M] float32, distance to the last of the neighbours of each
    probs: np.ndarray  # [M, N] float32

    def look_up(self, embeddings: np.ndarray) -> np.ndarray:
        """Returns `[B, N]`, how likely each of `embeddings` `[B, D]` is of each class."""
        cosines = _directions(embeddings, self.centre) @ self.directions.T
        near = _nearest(cosines, len(self.directions))
        distances = np.maximum(1 - np.take_along_axis(cosines, near, axis=1), 0)
        own = np.sqrt(distances.max(axis=1, keepdims=True) + TINY)
        weights = np.exp(-SHARPNESS * distances / (own * self.scales[near]))
        weights /= weights.sum(axis=1, keepdims=True) + TINY
        return np.einsum("bk,bkn->bn", weights, self.probs[near])


def build_references(embeddings: np.ndarray, probs: np.ndarray) -> References:
    """Returns references of M images or more than one.

    Args:
        embeddings: `[M, D]`.
        probs: `[M, N]`.
    """
    centre = embeddings.mean(axis=0)
    directions = _directions(embeddings, centre)
    cosines = directions @ directions.T
    np.fill_diagonal(cosines, -1)
    near = _nearest(cosines, max(1, len(directions) - 1))
    last = np.take_along_axis(cosines, near, axis=1).min(axis=1)
    scales = np.sqrt(np.maximum(1 - last, 0) + TINY)
    return References(*(np.float32(part) for part in (centre, directions, scales, probs)))


def _directions(embeddings: np.ndarray, centre: np.ndarray) -> np.ndarray:
    offsets = embeddings - centre
    return offsets / np.maximum(np.linalg.norm(offsets, axis=1, keepdims=True), TINY)


def _nearest(cosines: np.ndarray, most: int) -> np.ndarray:
    """Returns the places of the neighbours of each row, `[B, k]`, at most so many."""
    count = min(NEIGHBOURS, most)
    return np.argpartition(-cosines, count - 1, axis=1)[:, :count]
