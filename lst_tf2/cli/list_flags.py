"""The command line of `python -m lst_tf2.cli.episodes`, and the settings it makes."""

import os
import pathlib
from collections.abc import Mapping, Sequence

from absl import flags

from lst_tf2.cli.command_help import show_on_help
from lst_tf2.cli.list_opening import NUM_EPISODES, UNLABELED_PER_CLASS
from lst_tf2.config import SPLITS, EpisodeConfig, ListConfig
from lst_tf2.data.lists import LISTS_FOLDER, stored_folders
from lst_tf2.errors import MissingInputError, check, check_choice
from lst_tf2.tf1 import list_files
from lst_tf2.tf1.list_export import NUM_TEST_UNLABELED, with_most_distractors
from lst_tf2.tf1.list_import import ImportRequest

ALL = ("import", "export", "print", "check")
IMPORT, EXPORT, PRINT, BOTH = ("import",), ("export",), ("print",), ("import", "export")
# Kind of flag, name, default, the actions that read it, and help.
FLAG_ROWS = [
    ("string", "dataset", "miniImagenet", ALL, "Data set: a folder below <data_path>/data."),
    ("string", "data_path", "./", ALL, "Folder that holds data/."),
    ("string", "input", "", IMPORT, "The original's folder, filenames_and_labels/mini_1shot_5way."),
    ("string", "output", "filenames_and_labels", EXPORT, "Where to make such a folder."),
    ("string", "root", "./", EXPORT, "data_path of the original; names begin with <root>/data/."),
    ("list", "splits", list(SPLITS), BOTH, "Whose lists."),
    ("integer", "way_num", 5, BOTH, "Classes in an episode; when importing the folder's name "
     "tells."),
    ("integer", "shot_num", 1, BOTH, "Labeled images per class; when importing the folder's name "
     "tells."),
    ("integer", "seed", 0, BOTH, "The --seed with which train.py and test.py find the lists; "
     "exporting draws from it what is not stored."),
    *[("integer", f"{split}_episode_num", None, BOTH, f"Length of the {split} list; by default all "
       f"that is listed when importing, {count} when exporting.")
      for split, count in NUM_EPISODES.items()],
    ("integer", "nb_ul_samples", None, BOTH, "Unlabeled images per class to train and validate; by "
     f"default each count that is listed, {UNLABELED_PER_CLASS['train']} when exporting."),
    ("integer", "test_nb_ul_samples", None, IMPORT, "Unlabeled images per class to test; by "
     "default all that are listed."),
    ("list", "num_dis", None, BOTH, "Distractor classes of test episodes. Importing makes a list "
     "for each of 0,3 by default, if so many are listed; exporting writes as many as are stored, "
     f"else {list_files.NUM_DISTRACTOR_FILES}, as the original."),
    ("string", "list", "", ("print", "check"), "Name of a stored list, as check shows it."),
    ("string", "split", "test", PRINT, "Whose list, if only one is stored."),
    ("integer", "index", 0, PRINT, "Which episode, from 0."),
    ("string", "protocol", "paper", PRINT, "`paper` or `standard` order of unlabeled test images."),
]  # fmt: skip


def define_flags(about: str) -> None:
    """Defines the flags; `--help` lists them below `about`."""
    for kind, name, default, actions, text in FLAG_ROWS:
        shown = text if actions == ALL else f"{', '.join(actions)}: {text}"
        getattr(flags, f"DEFINE_{kind}")(name, default, shown)
    show_on_help((name for _, name, *_ in FLAG_ROWS), about)


def check_flags(values: flags.FlagValues, action: str) -> None:
    """Raises `InputError` for a flag that `action` does not read."""
    for _, name, _, actions, _ in FLAG_ROWS:
        check(
            action in actions or not values[name].present,
            f"no --{name} to {action}",
            "one",
            f"drop it, or use it to {' or '.join(actions)}",
        )


def data_folder(values: flags.FlagValues) -> str:
    """Returns the data set's folder, spelled as `train.py` spells it."""
    name = values.dataset
    is_plain = name not in ("", ".", "..") and os.path.basename(name) == name
    remedy = "pass one without slashes"
    check(is_plain, "--dataset to be the name of a folder", repr(name), remedy)
    return os.path.normpath(os.path.join(values.data_path, "data", name))


def chosen_splits(values: flags.FlagValues) -> list[str]:
    """Returns the splits to import or export, in the usual order."""
    for split in values.splits or [""]:
        check_choice("splits", split, SPLITS)
    return [split for split in SPLITS if split in values.splits]


def import_request(values: flags.FlagValues) -> ImportRequest:
    """Returns what to import.

    Raises:
        InputError: If there is no folder to read, or a flag is out of bounds.
    """
    folder = pathlib.Path(values.input)
    if not values.input or not folder.is_dir():
        shown = f"none at {folder}" if values.input else "no --input"
        raise MissingInputError(
            f"Expected a folder of lists, found {shown}; "
            "pass --input=filenames_and_labels/mini_1shot_5way or the like."
        )
    shot, way = _shot_and_way(values, folder)
    unlabeled = dict.fromkeys(("train", "val"), values.nb_ul_samples)
    unlabeled["test"] = values.test_nb_ul_samples
    return ImportRequest(
        folder=folder,
        data_folder=data_folder(values),
        way=way,
        shot=shot,
        splits=chosen_splits(values),
        num_episodes=_given(_episode_nums(values)),
        unlabeled_per_class=_given(unlabeled),
        num_distractor_classes=_distractor_counts(values),
        seed=values.seed,
    )


def export_config(values: flags.FlagValues, split: str) -> ListConfig:
    """Returns which list of `split` to export."""
    unlabeled, num_distractors = NUM_TEST_UNLABELED, 0
    if split != "test":
        unlabeled = _first_given(values.nb_ul_samples, UNLABELED_PER_CLASS[split])
    else:
        counts = _distractor_counts(values) or [0]
        check(len(counts) == 1, "one --num_dis to export", counts, "pass for example --num_dis=7")
        num_distractors = counts[0]
    queries = list_files.queries_per_class(split, values.shot_num)
    episode = EpisodeConfig(values.way_num, values.shot_num, queries, unlabeled, num_distractors)
    num_episodes = _first_given(_episode_nums(values)[split], NUM_EPISODES[split])
    config = ListConfig(data_folder(values), split, episode, num_episodes, values.seed)
    is_free = split == "test" and values.num_dis is None
    return with_most_distractors(config) if is_free else config


def export_folder(values: flags.FlagValues) -> pathlib.Path:
    """Returns the folder to export into."""
    name = list_files.folder_name(values.dataset, values.shot_num, values.way_num)
    return pathlib.Path(values.output) / name


def named_folders(values: flags.FlagValues) -> list[pathlib.Path]:
    """Returns the folder of `--list`, or all that are stored.

    Raises:
        MissingInputError: If there are none.
    """
    if not values.list:
        return stored_folders(data_folder(values))
    folder = pathlib.Path(data_folder(values)) / LISTS_FOLDER / pathlib.Path(values.list).name
    if not folder.is_dir():
        names = ", ".join(other.name for other in stored_folders(data_folder(values)))
        raise MissingInputError(
            f"Expected a list at {folder}, found none; pass one of these as --list: {names}."
        )
    return [folder]


def single_folder(values: flags.FlagValues) -> pathlib.Path:
    """Returns the folder of `--list`, or the only one stored for `--split`.

    Raises:
        InputError: If that is none or several.
    """
    check_choice("split", values.split, SPLITS)
    folders = stored = named_folders(values)
    if not values.list:
        folders = [folder for folder in stored if folder.name.startswith(f"{values.split}_")]
    names = ", ".join(folder.name for folder in folders or stored)
    check(
        len(folders) == 1,
        f"one stored list of split {values.split!r}",
        len(folders),
        f"pass one of these as --list: {names}",
    )
    return folders[0]


def _shot_and_way(values: flags.FlagValues, folder: pathlib.Path) -> tuple[int, int]:
    """Returns what the flags tell, else the folder's name."""
    is_shot_given, is_way_given = values["shot_num"].present, values["way_num"].present
    told = list_files.parse_folder_name(folder.resolve().name)
    check(
        told is not None or (is_shot_given and is_way_given),
        "a folder with a name like mini_1shot_5way",
        folder,
        "pass --shot_num and --way_num",
    )
    shot, way = told or (0, 0)
    return values.shot_num if is_shot_given else shot, values.way_num if is_way_given else way


def _episode_nums(values: flags.FlagValues) -> dict[str, int | None]:
    return {split: values[f"{split}_episode_num"].value for split in SPLITS}


def _distractor_counts(values: flags.FlagValues) -> Sequence[int] | None:
    if values.num_dis is None:
        return None
    is_numeric = bool(values.num_dis) and all(text.isdecimal() for text in values.num_dis)
    check(is_numeric, "--num_dis to be whole numbers", values.num_dis, "pass e.g. --num_dis=0,3")
    return [int(text) for text in values.num_dis]


def _given(values: Mapping[str, int | None]) -> dict[str, int]:
    return {name: value for name, value in values.items() if value is not None}


def _first_given(value: int | None, default: int) -> int:
    return default if value is None else value
