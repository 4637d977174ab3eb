"""Flags of the next command that fit the classes and images at hand.

Defaults are those of the paper, for data sets of its size.
"""

import os
import pathlib
import shlex

from PIL import Image

from lst_tf2.config import SPLITS, EpisodeConfig, MetaTestConfig, PretrainConfig
from lst_tf2.data.layout import Catalogue, scan_split
from lst_tf2.errors import MissingInputError

# Below so many training images the paper's network and its iterations are too much.
FEW_IMAGES = 10_000
FEW_STEPS = 300
EPOCHS = 20
FEWEST_CLASSES = 2


def next_pretraining(data_folder: pathlib.Path) -> str:
    """Returns how to pre-train on the data set in `data_folder`, as commands say what is next."""
    root, name = data_folder.resolve().parent, data_folder.resolve().name
    if root.name != "data":
        return "Next: move it into a folder named data, where lst pretrain --dataset looks."
    train = scan_split(data_folder, "train")
    with Image.open(train.path(0)) as image:
        side = image.width
    flags = [
        f"--dataset={name}",
        *([] if root == pathlib.Path("data").resolve() else [f"--data_path={root.parent}"]),
        f"--img_size={side}",
        f"--pretrain_class_num={len(train.classes)}",
        *pretraining_flags(len(train.names)),
    ]
    return f"Next: lst pretrain {shlex.join(flags)}"


def pretraining_flags(num_images: int) -> list[str]:
    """Returns flags of `lst pretrain` for `num_images` images of the training classes."""
    if num_images >= FEW_IMAGES:
        return []
    steps = max(FEW_STEPS, EPOCHS * num_images // PretrainConfig("", "").batch_size)
    return ["--filters=16,32,64,128", f"--pretrain_iterations={steps}"]


def training_flags(data_folder: str | os.PathLike) -> list[str]:
    """Returns flags of `lst train` for the data set in `data_folder`."""
    episode, splits = EpisodeConfig(), _scan(data_folder, SPLITS)
    way = max(FEWEST_CLASSES, min([episode.way, *(len(split.classes) for split in splits)]))
    pile = min([episode.unlabeled_per_class, *map(_fewest_unlabeled, splits)])
    is_small = bool(splits) and len(splits[0].names) < FEW_IMAGES
    found = {
        f"--exp_name={os.path.basename(data_folder)}": is_small,
        f"--way_num={way}": way < episode.way,
        f"--nb_ul_samples={pile}": pile < episode.unlabeled_per_class,
        "--protocol=standard": is_small,
        f"--metatrain_iterations={FEW_STEPS}": is_small,
    }
    return [flag for flag, is_needed in found.items() if is_needed]


def test_flags(data_folder: str | os.PathLike) -> list[str]:
    """Returns flags of `lst test` for the data set in `data_folder`."""
    config = MetaTestConfig("", "")
    wanted = config.test_list.episode.unlabeled_per_class
    pile = min([wanted, *map(_fewest_unlabeled, _scan(data_folder, ("test",)))])
    if pile == wanted:
        return []
    window = min(config.self_training.unlabeled_per_stage, pile)
    kept = max(1, 2 * window // 3)
    return [f"--nb_ul_samples={pile}", f"--nums_in_folders={window}", f"--hard_selection={kept}"]


def list_shortages(data_folder: str | os.PathLike) -> list[str]:
    """Returns a line for each split with too few classes or labeled images for an episode."""
    wanted, lines = EpisodeConfig().labeled_per_class, []
    for split in _scan(data_folder, SPLITS):
        if len(split.classes) < FEWEST_CLASSES:
            lines.append(
                f"note: an episode takes {FEWEST_CLASSES} classes or more, {split.split} has "
                f"{len(split.classes)}: add class folders, or change the shares of the splits."
            )
        least = min(split.classes, key=lambda entry: len(entry.labeled))
        if len(least.labeled) < wanted:
            lines.append(
                f"note: an episode takes {wanted} labeled images of a class, {least.name!r} of "
                f"{split.split} has {len(least.labeled)}: it needs more images, or a smaller "
                "unlabeled share."
            )
    return lines


def _scan(data_folder: str | os.PathLike, splits: tuple[str, ...]) -> list[Catalogue]:
    """Returns the images of each split; none where one is missing, which its reader will tell."""
    try:
        return [scan_split(data_folder, split) for split in splits]
    except MissingInputError:
        return []


def _fewest_unlabeled(catalogue: Catalogue) -> int:
    return min(len(entry.unlabeled) for entry in catalogue.classes)
