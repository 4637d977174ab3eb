"""Episode lists: which classes and images make up each episode. NumPy only.

A list is a folder of small integer arrays beside the names that they count:

    list.json               the settings, and how to read the rest
    files.txt               every image of the split, in order
    classes.npy             [E, N]     class of the episode
    labeled.npy             [E, N, P]  image of the class's labeled pool: K support, then queries
    unlabeled.npy           [E, N, U]  image of the class's unlabeled pool
    distractor_classes.npy  [E, X]     class outside the episode
    distractors.npy         [E, X, U]  image of its unlabeled pool
"""

import dataclasses
import pathlib

import numpy as np

from lst_tf2.config import SPLITS, EpisodeConfig, ListConfig, check
from lst_tf2.data.layout import Catalogue, scan_split
from lst_tf2.errors import InputError
from lst_tf2.files import new_folder, read_json, write_bytes, write_json

INDEX_DTYPE = np.uint16
# Episodes sampled at once: bounds the memory of a split with large classes.
CHUNK = 512
ARRAY_NAMES = ("classes", "labeled", "unlabeled", "distractor_classes", "distractors")
ARRAY_HELP = {
    "classes": "[episode, class]: which class folder of the split, sorted by name, from 0",
    "labeled": "[episode, class, image]: which file of labeled_<split>/<class>, sorted by name, "
    "from 0; the first `shot` are support, the rest queries",
    "unlabeled": "[episode, class, image]: the same for unlabeled_<split>/<class>",
    "distractor_classes": "[episode, class]: class folders outside the episode",
    "distractors": "[episode, class, image]: their files in unlabeled_<split>/<class>",
}


@dataclasses.dataclass(frozen=True)
class EpisodeLists:
    """Holds the episodes of one split; shapes stand at the top of the module."""

    config: ListConfig
    catalogue: Catalogue
    classes: np.ndarray
    labeled: np.ndarray
    unlabeled: np.ndarray
    distractor_classes: np.ndarray
    distractors: np.ndarray

    def __len__(self) -> int:
        return len(self.classes)

    def check_index(self, index: int) -> None:
        """Raises `InputError` unless the lists hold an episode `index`."""
        check(
            0 <= index < len(self),
            f"an episode index below {len(self)}, the length of the list",
            index,
            "draw a longer list or run fewer iterations",
        )

    def labeled_paths(self, index: int) -> list[list[str]]:
        """Returns paths `[N][P]`: for each class the support images, then the queries."""
        pairs = zip(self.classes[index], self.labeled[index], strict=True)
        return [[self.catalogue.labeled_path(c, i) for i in images] for c, images in pairs]

    def unlabeled_paths(self, index: int) -> list[list[str]]:
        """Returns paths `[N][U]` of the unlabeled images of each class."""
        pairs = zip(self.classes[index], self.unlabeled[index], strict=True)
        return [[self.catalogue.unlabeled_path(c, i) for i in images] for c, images in pairs]

    def distractor_paths(self, index: int) -> list[list[str]]:
        """Returns paths `[X][U]` of the images of each distractor class."""
        pairs = zip(self.distractor_classes[index], self.distractors[index], strict=True)
        return [[self.catalogue.unlabeled_path(c, i) for i in images] for c, images in pairs]


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
    return order[:, :count]


def check_supply(catalogue: Catalogue, episode: EpisodeConfig) -> None:
    """Raises `InputError` unless every class can fill its part of an episode."""
    num_classes = len(catalogue.classes)
    wanted = episode.way + episode.num_distractor_classes
    check(
        wanted <= num_classes,
        f"at most {num_classes} classes, as many as {catalogue.folder} has in split "
        f"{catalogue.split!r}",
        f"way_num={episode.way} and {episode.num_distractor_classes} distractor classes",
        "lower --way_num or --num_dis, or add classes",
    )
    needs = {"labeled": episode.labeled_per_class, "unlabeled": episode.unlabeled_per_class}
    flags = {"labeled": "--shot_num", "unlabeled": "--nb_ul_samples"}
    for entry in catalogue.classes:
        for pool, needed in needs.items():
            found = len(getattr(entry, pool))
            check(
                needed <= found <= np.iinfo(INDEX_DTYPE).max,
                f"{needed} to {np.iinfo(INDEX_DTYPE).max} images in "
                f"{catalogue.folder / f'{pool}_{catalogue.split}' / entry.name}",
                found,
                f"add images or lower {flags[pool]}",
            )


def sample_lists(catalogue: Catalogue, config: ListConfig) -> EpisodeLists:
    """Draws the episodes of `config` from `catalogue`.

    Each episode has a random stream of its own, of seed, split and index, so it is the
    same in a longer list and in any process, with distractors and without.

    Raises:
        InputError: If a class has too few images, or the split too few classes.
    """
    check_supply(catalogue, config.episode)
    chunks = [
        _sample_chunk(catalogue, config, range(start, min(start + CHUNK, config.num_episodes)))
        for start in range(0, config.num_episodes, CHUNK)
    ]
    return EpisodeLists(
        config, catalogue, *(np.concatenate(parts) for parts in zip(*chunks, strict=True))
    )


def _sample_chunk(catalogue: Catalogue, config: ListConfig, indices: range) -> list[np.ndarray]:
    episode, count = config.episode, len(indices)
    way, unlabeled = episode.way, episode.unlabeled_per_class
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


def list_folder(config: ListConfig) -> pathlib.Path:
    """Returns where the lists of `config` are kept, below the data set's folder."""
    episode = config.episode
    name = (
        f"{config.split}_{episode.way}way_{episode.shot}shot_{episode.queries_per_class}query"
        f"_{episode.unlabeled_per_class}unlabeled_{episode.num_distractor_classes}distractor"
        f"_{config.num_episodes}episodes_seed{config.seed}"
    )
    return pathlib.Path(config.data_folder) / "episode_lists" / name


def open_lists(config: ListConfig) -> EpisodeLists:
    """Returns the stored lists of `config`, or draws and stores them where there are none.

    Raises:
        InputError: If they are damaged or do not match the images that lie there now.
    """
    catalogue = scan_split(config.data_folder, config.split)
    folder = list_folder(config)
    if folder.exists():
        return load_lists(folder, catalogue, config)
    lists = sample_lists(catalogue, config)
    save_lists(lists, folder)
    return lists


def save_lists(lists: EpisodeLists, folder: pathlib.Path) -> None:
    """Stores `lists` in the new folder `folder`."""
    settings = dataclasses.asdict(lists.config) | {"data_folder": ""}
    with new_folder(folder) as temporary:
        write_json(temporary / "list.json", {"settings": settings, "arrays": ARRAY_HELP})
        names = "".join(f"{name}\n" for name in lists.catalogue.file_names())
        write_bytes(temporary / "files.txt", names.encode())
        for name in ARRAY_NAMES:
            np.save(temporary / f"{name}.npy", getattr(lists, name), allow_pickle=False)


def load_lists(folder: pathlib.Path, catalogue: Catalogue, config: ListConfig) -> EpisodeLists:
    """Returns the lists stored in `folder`, checked against the images of `catalogue`.

    Raises:
        InputError: If they are damaged or name other images than `catalogue`.
    """
    remedy = f"restore the images, or remove {folder} to draw new lists"
    settings = dataclasses.asdict(config) | {"data_folder": ""}
    stored = read_json(folder / "list.json").get("settings")
    check(stored == settings, f"lists in {folder} for {settings}", stored, remedy)
    _check_names(folder, catalogue, remedy)
    arrays = {name: _load_array(folder / f"{name}.npy", remedy) for name in ARRAY_NAMES}
    lists = EpisodeLists(config, catalogue, **arrays)
    _check_arrays(lists, folder, remedy)
    return lists


def _check_names(folder: pathlib.Path, catalogue: Catalogue, remedy: str) -> None:
    try:
        named = (folder / "files.txt").read_text(encoding="utf-8").split("\n")[:-1]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"Expected file names in {folder}/files.txt ({error}); {remedy}."
        ) from None
    found = catalogue.file_names()
    if named == found:
        return
    missing, added = sorted(set(named) - set(found)), sorted(set(found) - set(named))
    first = (missing + added or ["the order of the files"])[0]
    raise InputError(
        f"Expected the {len(named)} images that {folder} was drawn from in {catalogue.folder}, "
        f"found {len(missing)} missing and {len(added)} new (first: {first}); {remedy}."
    )


def _load_array(path: pathlib.Path, remedy: str) -> np.ndarray:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"Expected an array in {path}, received: {error}; {remedy}.") from None


def _check_arrays(lists: EpisodeLists, folder: pathlib.Path, remedy: str) -> None:
    episode, count = lists.config.episode, lists.config.num_episodes
    way, others = episode.way, episode.num_distractor_classes
    shapes = {
        "classes": (count, way),
        "labeled": (count, way, episode.labeled_per_class),
        "unlabeled": (count, way, episode.unlabeled_per_class),
        "distractor_classes": (count, others),
        "distractors": (count, others, episode.unlabeled_per_class),
    }
    for name, shape in shapes.items():
        array = getattr(lists, name)
        received = f"{array.dtype} {array.shape}"
        is_right = array.shape == shape and array.dtype == INDEX_DTYPE
        check(is_right, f"uint16 {shape} in {folder / name}.npy", received, remedy)
    entries = lists.catalogue.classes
    labeled = np.array([len(entry.labeled) for entry in entries])
    unlabeled = np.array([len(entry.unlabeled) for entry in entries])
    for classes, images, sizes in (
        (lists.classes, lists.labeled, labeled),
        (lists.classes, lists.unlabeled, unlabeled),
        (lists.distractor_classes, lists.distractors, unlabeled),
    ):
        in_range = (classes < len(entries)).all() and (images < sizes[classes][..., None]).all()
        check(in_range, f"indices of the images in {folder}/files.txt", "larger ones", remedy)
