"""The flags of `lst episodes`, and the settings that they make."""

import dataclasses
import pathlib
from typing import Any

from absl import flags

from lst_tf2.cli.flag_rows import build_from, rows_of
from lst_tf2.cli.flag_tables import DataFlags
from lst_tf2.cli.list_opening import NUM_EPISODES, UNLABELED_PER_CLASS
from lst_tf2.config import PROTOCOLS, SPLITS, EpisodeConfig, ListConfig
from lst_tf2.data.lists import LISTS_FOLDER, stored_folders
from lst_tf2.errors import MissingInputError, check, check_choice
from lst_tf2.settings import setting
from lst_tf2.tf1 import list_files
from lst_tf2.tf1.list_export import NUM_TEST_UNLABELED, with_most_distractors
from lst_tf2.tf1.list_import import ImportRequest

IMPORT, EXPORT, PRINT = "To import", "To export", "To print"
BOTH, NAMED = "To import or export", "To print or check"
# Which actions read the flags under a heading; all read those under others.
READERS = {
    IMPORT: ("import",),
    EXPORT: ("export",),
    BOTH: ("import", "export"),
    PRINT: ("print",),
    NAMED: ("print", "check"),
}


def _count(flag: str, group: str = BOTH) -> Any:
    return setting(None, flag=flag, group=group, kind=int)


@dataclasses.dataclass(frozen=True)
class ListFlags(DataFlags):
    """Holds which lists it is about; None and () leave it to what is there.

    Attributes:
        source: The original's folder, filenames_and_labels/mini_1shot_5way.
        test_unlabeled_per_class: Unlabeled images per class to test; by default all that are
            listed.
        target: Where to make such a folder.
        root: data_path of the original; names begin with <root>/data/.
        splits: Whose lists.
        way: Classes in an episode; by default what the folder's name tells when importing, 5 when
            exporting.
        shot: Labeled images per class; by default what the folder's name tells when importing, 1
            when exporting.
        seed: The --seed with which training and test find the lists; exporting draws from it what
            is not stored.
        num_train: Length of the train list; by default all that is listed when importing, 80000
            when exporting.
        num_val: Length of the val list; by default all that is listed when importing, 600 when
            exporting.
        num_test: Length of the test list; by default all that is listed when importing, 600 when
            exporting.
        unlabeled_per_class: Unlabeled images per class to train and validate; by default each count
            that is listed, 10 when exporting.
        num_distractor_classes: Distractor classes of test episodes. Importing makes a list for each
            of 0,3 by default, if so many are listed; exporting writes as many as are stored, else
            7, as the original.
        list_name: Name of a stored list, as check shows it.
        split: Whose list, if only one is stored.
        index: Which episode, from 0.
        protocol: `paper` or `standard` order of unlabeled test images.
    """

    source: str = setting("", flag="input", group=IMPORT)
    test_unlabeled_per_class: int | None = _count("test_nb_ul_samples", IMPORT)
    target: str = setting("filenames_and_labels", flag="output", group=EXPORT)
    root: str = setting("./", flag="root", group=EXPORT)
    splits: tuple[str, ...] = setting(SPLITS, flag="splits", group=BOTH)
    way: int | None = _count("way_num")
    shot: int | None = _count("shot_num")
    seed: int = setting(0, flag="seed", group=BOTH)
    num_train: int | None = _count("train_episode_num")
    num_val: int | None = _count("val_episode_num")
    num_test: int | None = _count("test_episode_num")
    unlabeled_per_class: int | None = _count("nb_ul_samples")
    num_distractor_classes: tuple[int, ...] = setting((), flag="num_dis", group=BOTH, kind=int)
    list_name: str = setting("", flag="list", group=NAMED)
    split: str = setting("test", flag="split", group=PRINT, choices=SPLITS)
    index: int = setting(0, flag="index", group=PRINT)
    protocol: str = setting("paper", flag="protocol", group=PRINT, choices=PROTOCOLS)

    def check(self) -> None:
        """Raises `InputError` for splits that there are not."""
        for split in self.splits or [""]:
            check_choice("splits", split, SPLITS)

    @property
    def chosen_splits(self) -> tuple[str, ...]:
        """The splits to import or export, in the usual order."""
        return tuple(split for split in SPLITS if split in self.splits)

    @property
    def num_episodes(self) -> dict[str, int | None]:
        """Lengths of the lists by split."""
        return dict(zip(SPLITS, (self.num_train, self.num_val, self.num_test), strict=True))


def read_flags(values: flags.FlagValues, action: str) -> ListFlags:
    """Returns what the flags say.

    Raises:
        InputError: For a flag that is out of bounds, or that `action` does not read.
    """
    for row in rows_of(ListFlags):
        readers = READERS.get(row.group, (action,))
        check(
            action in readers or not values[row.flag].present,
            f"no --{row.flag} to {action}",
            "one",
            f"drop it, or use it to {' or '.join(readers)}",
        )
    return build_from(ListFlags, values)


def import_request(asked: ListFlags) -> ImportRequest:
    """Returns what to import.

    Raises:
        MissingInputError: If there is no folder to read.
        InputError: If neither flags nor the folder's name tell way and shot.
    """
    folder = pathlib.Path(asked.source)
    if not asked.source or not folder.is_dir():
        shown = f"none at {folder}" if asked.source else "no --input"
        raise MissingInputError(
            f"Expected a folder of lists, found {shown}; "
            "pass --input=filenames_and_labels/mini_1shot_5way or the like."
        )
    shot, way = _shot_and_way(asked, folder)
    unlabeled = dict.fromkeys(("train", "val"), asked.unlabeled_per_class)
    unlabeled["test"] = asked.test_unlabeled_per_class
    return ImportRequest(
        folder=folder,
        data_folder=asked.data_folder,
        way=way,
        shot=shot,
        splits=asked.chosen_splits,
        num_episodes=_given(asked.num_episodes),
        unlabeled_per_class=_given(unlabeled),
        num_distractor_classes=asked.num_distractor_classes or None,
        seed=asked.seed,
    )


def export_config(asked: ListFlags, split: str) -> ListConfig:
    """Returns which list of `split` to export."""
    unlabeled, num_distractors = NUM_TEST_UNLABELED, 0
    if split != "test":
        unlabeled = _first_given(asked.unlabeled_per_class, UNLABELED_PER_CLASS[split])
    else:
        counts = asked.num_distractor_classes or (0,)
        check(len(counts) == 1, "one --num_dis to export", counts, "pass for example --num_dis=7")
        num_distractors = counts[0]
    way, shot = _first_given(asked.way, 5), _first_given(asked.shot, 1)
    queries = list_files.queries_per_class(split, shot)
    episode = EpisodeConfig(way, shot, queries, unlabeled, num_distractors)
    num_episodes = _first_given(asked.num_episodes[split], NUM_EPISODES[split])
    config = ListConfig(asked.data_folder, split, episode, num_episodes, asked.seed)
    is_free = split == "test" and not asked.num_distractor_classes
    return with_most_distractors(config) if is_free else config


def export_folder(asked: ListFlags) -> pathlib.Path:
    """Returns the folder to export into."""
    way, shot = _first_given(asked.way, 5), _first_given(asked.shot, 1)
    return pathlib.Path(asked.target) / list_files.folder_name(asked.dataset, shot, way)


def named_folders(asked: ListFlags) -> list[pathlib.Path]:
    """Returns the folder of `--list`, or all that are stored.

    Raises:
        MissingInputError: If there are none.
    """
    if not asked.list_name:
        return stored_folders(asked.data_folder)
    folder = pathlib.Path(asked.data_folder) / LISTS_FOLDER / pathlib.Path(asked.list_name).name
    if not folder.is_dir():
        names = ", ".join(other.name for other in stored_folders(asked.data_folder))
        raise MissingInputError(
            f"Expected a list at {folder}, found none; pass one of these as --list: {names}."
        )
    return [folder]


def single_folder(asked: ListFlags) -> pathlib.Path:
    """Returns the folder of `--list`, or the only one stored for `--split`.

    Raises:
        InputError: If that is none or several.
    """
    folders = stored = named_folders(asked)
    if not asked.list_name:
        folders = [folder for folder in stored if folder.name.startswith(f"{asked.split}_")]
    names = ", ".join(folder.name for folder in folders or stored)
    check(
        len(folders) == 1,
        f"one stored list of split {asked.split!r}",
        len(folders),
        f"pass one of these as --list: {names}",
    )
    return folders[0]


def _shot_and_way(asked: ListFlags, folder: pathlib.Path) -> tuple[int, int]:
    """Returns what the flags tell, else the folder's name."""
    told = list_files.parse_folder_name(folder.resolve().name)
    check(
        told is not None or None not in (asked.shot, asked.way),
        "a folder with a name like mini_1shot_5way",
        folder,
        "pass --shot_num and --way_num",
    )
    shot, way = told or (0, 0)
    return _first_given(asked.shot, shot), _first_given(asked.way, way)


def _given(values: dict[str, int | None]) -> dict[str, int]:
    return {name: value for name, value in values.items() if value is not None}


def _first_given(value: int | None, default: int) -> int:
    return default if value is None else value
