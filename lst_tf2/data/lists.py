"""Episode lists: which classes and images make up each episode, stored and opened again.

A list is a folder of small integer arrays beside the names that they count:

    list.json               the settings, where it comes from, and how to read the rest
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

from lst_tf2.config import EpisodeConfig, ListConfig
from lst_tf2.data.layout import POOLS, Catalogue, scan_split
from lst_tf2.data.sampling import INDEX_DTYPE, sample_arrays
from lst_tf2.errors import InputError, MissingInputError, check
from lst_tf2.files import new_folder, read_json, write_bytes, write_json

LISTS_FOLDER = "episode_lists"
DRAWN = "drawn from the seed"
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
        return [[self.catalogue.path(i) for i in rows] for rows in self.labeled_rows(index)]

    def labeled_rows(self, index: int) -> np.ndarray:
        """Returns rows `[N, P]` of the catalogue: support images, then queries."""
        return self._rows("labeled", self.classes[index], self.labeled[index])

    def unlabeled_rows(self, index: int) -> np.ndarray:
        """Returns rows `[N, U]` of the catalogue, the unlabeled images of each class."""
        return self._rows("unlabeled", self.classes[index], self.unlabeled[index])

    def distractor_rows(self, index: int) -> np.ndarray:
        """Returns rows `[X, U]` of the catalogue, the images of each distractor class."""
        return self._rows("unlabeled", self.distractor_classes[index], self.distractors[index])

    def _rows(self, pool: str, classes: np.ndarray, images: np.ndarray) -> np.ndarray:
        return self.catalogue.first_rows[classes, POOLS.index(pool), None] + images


def sample_lists(catalogue: Catalogue, config: ListConfig) -> EpisodeLists:
    """Draws the episodes of `config` from `catalogue`, always the same ones.

    Raises:
        InputError: If a class has too few images, or the split too few classes.
    """
    return EpisodeLists(config, catalogue, *sample_arrays(catalogue, config))


def list_folder(config: ListConfig) -> pathlib.Path:
    """Returns where the lists of `config` are kept, below the data set's folder."""
    episode = config.episode
    name = (
        f"{config.split}_{episode.way}way_{episode.shot}shot_{episode.queries_per_class}query"
        f"_{episode.unlabeled_per_class}unlabeled_{episode.num_distractor_classes}distractor"
        f"_{config.num_episodes}episodes_seed{config.seed}"
    )
    return pathlib.Path(config.data_folder) / LISTS_FOLDER / name


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


def save_lists(lists: EpisodeLists, folder: pathlib.Path, origin: str = DRAWN) -> None:
    """Stores `lists` in the new folder `folder`, with a note of where they come from."""
    settings = dataclasses.asdict(lists.config) | {"data_folder": ""}
    about = {"settings": settings, "origin": origin, "arrays": ARRAY_HELP}
    with new_folder(folder) as temporary:
        write_json(temporary / "list.json", about)
        names = "".join(f"{name}\n" for name in lists.catalogue.file_names())
        write_bytes(temporary / "files.txt", names.encode())
        for name in ARRAY_NAMES:
            np.save(temporary / f"{name}.npy", getattr(lists, name), allow_pickle=False)


def stored_folders(data_folder: str) -> list[pathlib.Path]:
    """Returns the folders of all lists stored for a data set, sorted by name.

    Raises:
        MissingInputError: If there are none.
    """
    folder = pathlib.Path(data_folder) / LISTS_FOLDER
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    found = [e for e in entries if e.is_dir() and not e.name.startswith(".")]
    if not found:
        raise MissingInputError(
            f"Expected episode lists in {folder}, found none; training and test draw them, "
            "`lst episodes import` takes those of the original program."
        )
    return found


def stored_config(folder: pathlib.Path) -> ListConfig:
    """Returns the settings of the lists stored in `folder`.

    Raises:
        InputError: If they are missing or damaged, or belong into a folder of another name.
    """
    remedy = f"restore the folder, or remove {folder} to draw new lists"
    settings = read_json(folder / "list.json", settings=dict)["settings"]
    try:
        episode = EpisodeConfig(**settings["episode"])
        changes = {"data_folder": str(folder.parent.parent), "episode": episode}
        config = ListConfig(**(settings | changes))
    except (KeyError, TypeError) as error:
        raise InputError(
            f"Expected the settings of lists in {folder}/list.json, received {settings} "
            f"({error}); {remedy}."
        ) from None
    check(
        list_folder(config).name == folder.name,
        f"lists named {folder.name} in {folder}",
        f"settings of {list_folder(config).name}",
        remedy,
    )
    return config


def stored_origin(folder: pathlib.Path) -> str:
    """Returns where the lists stored in `folder` come from."""
    return str(read_json(folder / "list.json").get("origin", DRAWN))


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
