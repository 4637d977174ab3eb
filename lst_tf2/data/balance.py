"""How the unlabeled images of an episode divide among its classes: evenly or not.

A balance is named by `equal`, `dirichlet:ALPHA`, `uniform:LEAST:MOST`, or the path of a JSON
file with a number for each class. Whatever it is, the images of an episode are as many.
"""

import dataclasses
import functools
import hashlib
import json
import math
import pathlib
from collections.abc import Callable, Sequence

import numpy as np

from lst_tf2.errors import InputError, check
from lst_tf2.storage.files import read_json

EQUAL = "equal"
FORMS = "equal, dirichlet:ALPHA, uniform:LEAST:MOST or a JSON file of a number per class"

# Counts `[n]` of n classes, from a random stream, names of the classes, the number of images in
# all, and the most that there can be of a class.
DrawCounts = Callable[[np.random.Generator, Sequence[str], int, int], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Balance:
    """Draws how many unlabeled images each class has; `name` is fit for a folder's name."""

    name: str
    draw: DrawCounts


def read_balance(text: str) -> Balance:
    """Returns the balance that `text` names.

    Raises:
        InputError: If there is no such form or file, or its numbers are out of bounds.
    """
    kind, _, rest = text.partition(":")
    try:
        if text == EQUAL:
            return Balance(EQUAL, _draw_equal)
        if kind == "dirichlet":
            return _dirichlet(float(rest))
        if kind == "uniform":
            return _uniform(*map(int, rest.split(":")))
    except (ValueError, TypeError):
        check(False, f"unlabeled_balance as {FORMS}", repr(text), "fix it", "unlabeled_balance")
    return _of_file(text)


def _draw_equal(rng, names: Sequence[str], total: int, most: int) -> np.ndarray:
    return np.full(len(names), total // len(names))


def _dirichlet(alpha: float) -> Balance:
    """Returns shares of a symmetric Dirichlet distribution, as in arXiv:2204.11181."""
    _check_number(alpha > 0 and math.isfinite(alpha), "an alpha above 0", alpha)

    def draw(rng, names, total, most):
        return apportion(rng.dirichlet(np.full(len(names), alpha)), total, most)

    return Balance(f"dirichlet{alpha:g}", draw)


def _uniform(least: int, most: int) -> Balance:
    """Returns counts of `least` to `most`, all that sum to the total being as likely."""
    _check_number(0 <= least <= most, "0 <= least <= most", f"{least} and {most}")

    def draw(rng, names, total, supply):
        high = min(most, supply)
        ways = ways_to_sum(len(names), least, high, total)
        _check_number(
            ways[-1][total] > 0,
            f"bounds between which {len(names)} classes can have {total} images",
            f"{least} to {high}",
        )
        counts, rest = [], total
        for row in reversed(ways[:-1]):  # Row n: the ways of n classes to have that many.
            choices = np.arange(least, min(high, rest) + 1)
            likely = row[rest - choices]
            counts.append(rng.choice(choices, p=likely / likely.sum()))
            rest -= counts[-1]
        return np.array(counts)

    return Balance(f"uniform{least}to{most}", draw)


def _of_file(path: str) -> Balance:
    """Returns counts in proportion to the numbers of the classes in a file."""
    try:
        weights = read_json(pathlib.Path(path))
    except InputError as error:
        raise InputError(
            f"Expected unlabeled_balance as {FORMS}, received {path!r}: {error}"
        ).about("unlabeled_balance") from None
    sound = [isinstance(w, int | float) and 0 <= w < math.inf for w in weights.values()]
    _check_number(bool(sound) and all(sound), f"a number of 0 or more per class in {path}", weights)
    digest = hashlib.sha256(json.dumps(weights, sort_keys=True).encode()).hexdigest()[:8]

    def draw(rng, names, total, most):
        missing = [name for name in names if name not in weights]
        _check_number(not missing, f"a number for each class in {path}", f"none for {missing}")
        shares = np.array([weights[name] for name in names], np.float64)
        _check_number(shares.any(), f"a number above 0 for one of {list(names)}", "0 for all")
        return apportion(shares / shares.sum(), total, most)

    return Balance(f"file{digest}", draw)


def apportion(shares: np.ndarray, total: int, most: int) -> np.ndarray:
    """Returns whole counts that sum to `total`, near `shares` of it, none above `most`.

    What is too much of one class goes to the others in proportion; of equal remainders the
    first counts. `most` times the number of classes must be `total` or more.

    Args:
        shares: `[n]` float64, 0 or more, summing to 1.
        total: Images in all.
        most: Images of a class.
    """
    shares = shares + 1e-9  # Where all others are full, those without a share take the rest.
    is_full = np.zeros(len(shares), bool)
    while True:
        rest = total - most * is_full.sum()
        exact = np.where(is_full, most, rest * shares / max(shares[~is_full].sum(), 1e-300))
        if not (exact[~is_full] > most).any():
            break
        is_full |= exact > most
    counts = np.floor(exact + 1e-6).astype(int)
    order = np.argsort(np.where(is_full | (counts >= most), 1, counts - exact), kind="stable")
    counts[order[: total - counts.sum()]] += 1
    return counts


@functools.lru_cache(maxsize=8)
def ways_to_sum(count: int, least: int, most: int, total: int) -> list[np.ndarray]:
    """Returns for 0 to `count` classes how likely each sum 0..total is, of equal counts."""
    one = np.zeros(total + 1)
    one[least : most + 1] = 1 / max(1, most - least + 1)
    ways = [np.eye(1, total + 1)[0]]
    for _ in range(count):
        ways.append(np.convolve(ways[-1], one)[: total + 1])
    return ways


def _check_number(is_right: bool, expected: str, received) -> None:
    check(is_right, expected, received, "fix it", "unlabeled_balance")
