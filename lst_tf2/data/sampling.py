"""Draws which classes and images make up each episode. NumPy only."""

import numpy as np

from lst_tf2.config import SPLITS, EpisodeConfig, ListConfig
from lst_tf2.data.balance import EQUAL, read_balance
from lst_tf2.data.layout import Catalogue
from lst_tf2.errors import check
from lst_tf2.memory import check_memory

INDEX_DTYPE = np.uint16
MOST_IMAGES = np.iinfo(INDEX_DTYPE).max
# Sets the stream of uneven counts apart from those that draw images (seed, split, index).
BALANCE_STREAM = 4
# Episodes sampled at once: bounds the memory of a split with large classes.
CHUNK = 512


def distinct_indices(uniforms: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Turns uniform numbers into draws without replacement, many at once.

    Args:
        uniforms: `[R, k]` float64 in 0..1, independent.
        sizes: `[R]` int, how many there are to draw from in each row; at least k.

    Returns:
        `[R, k]` uint16, distinct within a row, each below the row's size.
    """
    count = uniforms.shape[1]
    rows = np.arange(len(uniforms))
    order = np.tile(np.arange(max(sizes), dtype=INDEX_DTYPE), (len(uniforms), 1))
    for j in range(count):  # The first steps of a Fisher-Yates shuffle.
        picks = j + (uniforms[:, j] * (sizes - j)).astype(int)
        order[rows, j], order[rows, picks] = order[rows, picks], order[rows, j]
    return order[:, :count].copy()  # A view would keep the whole of it in memory.


def check_supply(catalogue: Catalogue, episode: EpisodeConfig) -> None:
    """Raises `InputError` unless every class can fill its part of an episode."""
    num_classes = len(catalogue.classes)
    wanted = episode.way + episode.num_distractor_classes
    check(
        wanted <= num_classes,
        f"at most {num_classes} classes, as many as {catalogue.folder} has in split "
        f"{catalogue.split!r}",
        f"way={episode.way} and {episode.num_distractor_classes} distractor classes",
        "lower these or add classes",
        *("way", "num_distractor_classes"),
    )
    needs = {"labeled": episode.labeled_per_class, "unlabeled": episode.unlabeled_per_class}
    settings = {"labeled": "shot", "unlabeled": "unlabeled_per_class"}
    for entry in catalogue.classes:
        for pool, needed in needs.items():
            found, name = len(getattr(entry, pool)), settings[pool]
            folder = catalogue.folder / f"{pool}_{catalogue.split}" / entry.name
            remedy = f"add images or lower {name}"
            check(needed <= found, f"at least {needed} images in {folder}", found, remedy, name)
            remedy = "remove some"
            check(found <= MOST_IMAGES, f"at most {MOST_IMAGES} images in {folder}", found, remedy)


def sample_arrays(catalogue: Catalogue, config: ListConfig) -> list[np.ndarray]:
    """Draws the arrays of an `EpisodeLists`, in the order of its fields, but for `counts`.

    Each episode has a random stream of its own, of seed, split and index, so it is the
    same in a longer list and in any process, with distractors and without.

    Args:
        catalogue: The images of the split.
        config: Settings of the list.

    Returns:
        uint16 arrays; `lst_tf2.data.lists` gives their shapes.

    Raises:
        InputError: If a class has too few images, or the split too few classes.
    """
    check_supply(catalogue, config.episode)
    _check_memory(config, pool_size(catalogue, config.episode))
    chunks = [
        _sample_chunk(catalogue, config, range(start, min(start + CHUNK, config.num_episodes)))
        for start in range(0, config.num_episodes, CHUNK)
    ]
    return [np.concatenate(parts) for parts in zip(*chunks, strict=True)]


def _check_memory(config: ListConfig, unlabeled: int) -> None:
    episode = config.episode
    of_class = 1 + episode.labeled_per_class + unlabeled
    indices = episode.way * of_class + episode.num_distractor_classes * (1 + unlabeled)
    check_memory(
        2 * np.dtype(INDEX_DTYPE).itemsize * indices * config.num_episodes,
        f"a list of {config.num_episodes} episodes",
        "draw a shorter one",
        "num_episodes",
    )


def pool_size(catalogue: Catalogue, episode: EpisodeConfig) -> int:
    """Returns how many unlabeled images of a class are drawn: the most that one can have."""
    if episode.unlabeled_balance == EQUAL:
        return episode.unlabeled_per_class
    most = max(episode.way, episode.num_distractor_classes) * episode.unlabeled_per_class
    return min(most, *(len(entry.unlabeled) for entry in catalogue.classes))


def sample_counts(
    catalogue: Catalogue, config: ListConfig, classes: np.ndarray, others: np.ndarray
) -> np.ndarray:
    """Draws how many unlabeled images each class of each episode has, distractors last.

    The classes of the episode have as many in all as where they are balanced, and so have the
    distractors: an episode is the same without them.

    Args:
        catalogue: The images of the split.
        config: Settings of the list.
        classes: `[E, N]`, places in the catalogue.
        others: `[E, X]`, the same of distractor classes.

    Returns:
        `[E, N + X]` uint16.

    Raises:
        InputError: If there is no such balance, or it asks for what cannot be.
    """
    episode = config.episode
    balance, most = read_balance(episode.unlabeled_balance), pool_size(catalogue, episode)
    names = [entry.name for entry in catalogue.classes]
    counts = np.zeros((len(classes), classes.shape[1] + others.shape[1]), INDEX_DTYPE)
    for index, row in enumerate(counts):
        key = [config.seed, SPLITS.index(config.split), index, BALANCE_STREAM]
        rng, start = np.random.default_rng(key), 0
        for places in (classes[index], others[index]):
            named, total = [names[p] for p in places], len(places) * episode.unlabeled_per_class
            if named:
                row[start : start + len(named)] = balance.draw(rng, named, total, most)
            start += len(named)
    return counts


def _sample_chunk(catalogue: Catalogue, config: ListConfig, indices: range) -> list[np.ndarray]:
    episode, count = config.episode, len(indices)
    way, unlabeled = episode.way, pool_size(catalogue, episode)
    # Distractors come last, so that an episode is the same without them.
    shapes = [
        (way,),
        (way, unlabeled),
        (way, episode.labeled_per_class),
        (episode.num_distractor_classes,),
        (episode.num_distractor_classes, unlabeled),
    ]
    uniforms = _draw_uniforms(config, indices, shapes)
    class_draws, unlabeled_draws, labeled_draws, other_class_draws, other_draws = uniforms
    sizes = np.full(count, len(catalogue.classes))
    drawn = distinct_indices(np.concatenate([class_draws, other_class_draws], axis=1), sizes)
    classes, others = drawn[:, :way], drawn[:, way:]
    labeled_sizes = np.array([len(entry.labeled) for entry in catalogue.classes])
    unlabeled_sizes = np.array([len(entry.unlabeled) for entry in catalogue.classes])
    return [
        classes,
        _draw_images(labeled_draws, labeled_sizes[classes]),
        _draw_images(unlabeled_draws, unlabeled_sizes[classes]),
        others,
        _draw_images(other_draws, unlabeled_sizes[others]),
    ]


def _draw_uniforms(config: ListConfig, indices: range, shapes: list[tuple]) -> list[np.ndarray]:
    """Returns one array `[len(indices), *shape]` of uniform numbers for each of `shapes`."""
    split = SPLITS.index(config.split)
    sizes = [int(np.prod(shape)) for shape in shapes]
    flat = np.stack(
        [np.random.default_rng([config.seed, split, i]).random(sum(sizes)) for i in indices]
    )
    parts = np.split(flat, np.cumsum(sizes)[:-1], axis=1)
    return [p.reshape(len(indices), *shape) for p, shape in zip(parts, shapes, strict=True)]


def _draw_images(uniforms: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Returns distinct image indices `[E, N, P]` for class sizes `[E, N]`."""
    if uniforms.size == 0:
        return np.zeros(uniforms.shape, INDEX_DTYPE)
    flat = distinct_indices(uniforms.reshape(-1, uniforms.shape[-1]), sizes.ravel())
    return flat.reshape(uniforms.shape)
