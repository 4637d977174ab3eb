"""Episode lists: which classes and images make up each episode, stored and opened again.

A list is a folder of small integer arrays beside the names that they count:

    list.json               the settings, where it comes from, how to read the rest, and the
                            SHA-256 of each other file
    files.txt               every image of the split, in order
    classes.npy             [E, N]     class of the episode
    labeled.npy             [E, N, P]  image of the class's labeled pool: K support, then queries
    unlabeled.npy           [E, N, U]  image of the class's unlabeled pool
    distractor_classes.npy  [E, X]     class outside the episode
    distractors.npy         [E, X, U]  image of its unlabeled pool
    counts.npy              [E, N + X] where classes are uneven: how many of the U images of
                                       each class count, U being the most that one can have
"""

import dataclasses
import pathlib

import numpy as np

from lst_tf2.config import EpisodeConfig, ListConfig
from lst_tf2.data.balance import EQUAL, read_balance
from lst_tf2.data.layout import POOLS, Catalogue, scan_split
from lst_tf2.data.sampling import INDEX_DTYPE, pool_size, sample_arrays, sample_counts
from lst_tf2.errors import InputError, MissingInputError, check
from lst_tf2.storage.files import checksum_of, new_folder, read_json, write_bytes, write_json
from lst_tf2.storage.locks import held

LISTS_FOLDER = "episode_lists"
DRAWN = "drawn from the seed"
ARRAY_NAMES = ("classes", "labeled", "unlabeled", "distractor_classes", "distractors")
COUNTS = "counts"
ARRAY_HELP = {
    "classes": "[episode, class]: which class folder of the split, sorted by name, from 0",
    "labeled": "[episode, class, image]: which file of labeled_<split>/<class>, sorted by name, "
    "from 0; the first `shot` are support, the rest queries",
    "unlabeled": "[episode, class, image]: the same for unlabeled_<split>/<class>",
    "distractor_classes": "[episode, class]: class folders outside the episode",
    "distractors": "[episode, class, image]: their files in unlabeled_<split>/<class>",
    COUNTS: "[episode, class]: how many of the unlabeled files of a class count, the first ones; "
    "distractor classes last",
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
    counts: np.ndarray | None = None  # None: all alike

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

    def unlabeled_rows(self, index: int) -> list[np.ndarray]:
        """Returns rows of the catalogue, the unlabeled images of each class."""
        rows = self._rows("unlabeled", self.classes[index], self.unlabeled[index])
        return [r[:count] for r, count in zip(rows, self.counts_of(index), strict=False)]

    def distractor_rows(self, index: int) -> list[np.ndarray]:
        """Returns rows of the catalogue, the images of each distractor class."""
        rows = self._rows("unlabeled", self.distractor_classes[index], self.distractors[index])
        counts = self.counts_of(index)[self.config.episode.way :]
        return [r[:count] for r, count in zip(rows, counts, strict=True)]

    def counts_of(self, index: int) -> list[int]:
        """Returns how many unlabeled images each class has, distractor classes last."""
        if self.counts is not None:
            return self.counts[index].tolist()
        episode = self.config.episode
        return [episode.unlabeled_per_class] * (episode.way + episode.num_distractor_classes)

    def _rows(self, pool: str, classes: np.ndarray, images: np.ndarray) -> np.ndarray:
        return self.catalogue.first_rows[classes, POOLS.index(pool), None] + images


def sample_lists(catalogue: Catalogue, config: ListConfig) -> EpisodeLists:
    """Draws the episodes of `config` from `catalogue`, always the same ones.

    Raises:
        InputError: If a class has too few images, or the split too few classes.
    """
    lists = EpisodeLists(config, catalogue, *sample_arrays(catalogue, config))
    if config.episode.unlabeled_balance == EQUAL:
        return lists
    counts = sample_counts(catalogue, config, lists.classes, lists.distractor_classes)
    return dataclasses.replace(lists, counts=counts)


def list_folder(config: ListConfig) -> pathlib.Path:
    """Returns where the lists of `config` are kept, below the data set's folder."""
    episode = config.episode
    name = (
        f"{config.split}_{episode.way}way_{episode.shot}shot_{episode.queries_per_class}query"
        f"_{episode.unlabeled_per_class}unlabeled_{episode.num_distractor_classes}distractor"
        f"_{config.num_episodes}episodes_seed{config.seed}"
    )
    if episode.unlabeled_balance != EQUAL:
        name += f"_{read_balance(episode.unlabeled_balance).name}"
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
    with held(folder.parent, wait=True):
        if not folder.exists():  # Another run may have stored the same ones meanwhile.
            save_lists(lists, folder)
    return lists


def save_lists(lists: EpisodeLists, folder: pathlib.Path, origin: str = DRAWN) -> None:
    """Stores `lists` in the new folder `folder`, with a note of where they come from."""
    settings = stored_settings(lists.config)
    about = {"settings": settings, "origin": origin, "arrays": ARRAY_HELP}
    with new_folder(folder) as temporary:
        names = "".join(f"{name}\n" for name in lists.catalogue.names)
        write_bytes(temporary / "files.txt", names.encode())
        for name in array_names(lists.config):
            np.save(temporary / f"{name}.npy", getattr(lists, name), allow_pickle=False)
        checksums = {path.name: checksum_of(path) for path in sorted(temporary.iterdir())}
        write_json(temporary / "list.json", about | {"sha256": checksums}, sealed=True)


def array_names(config: ListConfig) -> tuple[str, ...]:
    """Returns the arrays that lists of these settings have."""
    is_equal = config.episode.unlabeled_balance == EQUAL
    return ARRAY_NAMES if is_equal else (*ARRAY_NAMES, COUNTS)


def stored_settings(config: ListConfig) -> dict:
    """Returns the settings as they stand in `list.json`: no folder, and nothing of evenness."""
    settings = dataclasses.asdict(config) | {"data_folder": ""}
    if config.episode.unlabeled_balance == EQUAL:  # As where there was no such setting.
        del settings["episode"]["unlabeled_balance"]
    return settings


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
    settings = stored_settings(config)
    about = read_json(folder / "list.json")
    stored = about.get("settings")
    check(stored == settings, f"lists in {folder} for {settings}", stored, remedy)
    _check_sums(folder, about, remedy)
    _check_names(folder, catalogue, remedy)
    names = array_names(config)
    arrays = {name: _load_array(folder / f"{name}.npy", remedy) for name in names}
    lists = EpisodeLists(config, catalogue, **arrays)
    _check_arrays(lists, folder, remedy)
    return lists


def _check_sums(folder: pathlib.Path, about: dict, remedy: str) -> None:
    """Raises `InputError` for a file that is not as it was stored."""
    unknown = about.keys() - {"settings", "origin", "arrays", "sha256"}
    check(not unknown, f"no other keys in {folder}/list.json", sorted(unknown), remedy)
    checksums = about.get("sha256", {})  # Earlier versions stored none.
    check(isinstance(checksums, dict), f"checksums in {folder}/list.json", checksums, remedy)
    for name, checksum in checksums.items():
        path = folder / pathlib.Path(name).name
        found = checksum_of(path) if path.is_file() else ""
        check(found == checksum, f"{path} as it was stored", "other content", remedy)


def _check_names(folder: pathlib.Path, catalogue: Catalogue, remedy: str) -> None:
    try:
        named = (folder / "files.txt").read_text(encoding="utf-8").split("\n")[:-1]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"Expected file names in {folder}/files.txt ({error}); {remedy}."
        ) from None
    found = list(catalogue.names)
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
    except Exception as error:  # What the parser of a damaged file raises is without end.
        raise InputError(f"Expected an array in {path}, received: {error}; {remedy}.") from None


def _check_arrays(lists: EpisodeLists, folder: pathlib.Path, remedy: str) -> None:
    episode, count = lists.config.episode, lists.config.num_episodes
    way, others = episode.way, episode.num_distractor_classes
    unlabeled = pool_size(lists.catalogue, episode)
    shapes = {
        "classes": (count, way),
        "labeled": (count, way, episode.labeled_per_class),
        "unlabeled": (count, way, unlabeled),
        "distractor_classes": (count, others),
        "distractors": (count, others, unlabeled),
        COUNTS: (count, way + others),
    }
    for name in array_names(lists.config):
        array, shape = getattr(lists, name), shapes[name]
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
    if lists.counts is not None:
        _check_counts(lists, folder, remedy)


def _check_counts(lists: EpisodeLists, folder: pathlib.Path, remedy: str) -> None:
    episode, counts = lists.config.episode, lists.counts
    way, others, each = episode.way, episode.num_distractor_classes, episode.unlabeled_per_class
    is_right = (
        (counts[:, :way].sum(axis=1) == way * each).all()
        and (counts[:, way:].sum(axis=1) == others * each).all()
        and counts.max() <= pool_size(lists.catalogue, episode)
    )
    expected = f"counts that sum to {way * each} and {others * each} in {folder}/counts.npy"
    check(is_right, expected, "others", remedy)
