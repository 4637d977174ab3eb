"""Checks a data set: classes in two splits, images that are broken or stand twice, lists.

    lst check data/miniImagenet

reads every image once. A data set is sound where the splits share no class, every image can be
decoded and is an RGB one of the same size as the others, no image stands twice, be it in two
splits, in both pools or in one folder, and the stored episode lists fit the images. Training and
test check the classes and compare the images as well, and remember of the images what they found.
"""

import pathlib
from collections.abc import Sequence

from absl import flags
from PIL import Image

from lst_tf2.cli.command import Command
from lst_tf2.cli.fitting_flags import next_pretraining
from lst_tf2.data.layout import Catalogue, check_image
from lst_tf2.data.leaks import count_kinds, find_same_images, find_shared_classes, scan_splits
from lst_tf2.data.list_check import check_folders, check_lines
from lst_tf2.data.lists import stored_folders
from lst_tf2.errors import InputError, MissingInputError, check
from lst_tf2.progress import Progress

MAX_SHOWN = 20


def run_check(_: flags.FlagValues, words: Sequence[str]) -> None:
    """Prints what is wrong with each data set that `words` name."""
    faults = [fault for folder in words for fault in _check_dataset(pathlib.Path(folder))]
    check(
        not faults,
        f"sound data in {', '.join(words)}",
        f"{len(faults)} faults, told above",
        "fix or remove what is named",
    )
    print(f"Sound. {next_pretraining(pathlib.Path(words[0]))}")


def _check_dataset(folder: pathlib.Path) -> list[str]:
    """Prints what there is, and returns what is wrong with it."""
    catalogues = scan_splits(folder)
    print(f"{folder}")
    for split, catalogue in catalogues.items():
        labeled = sum(len(entry.labeled) for entry in catalogue.classes)
        unlabeled = len(catalogue.names) - labeled
        counts = f"{len(catalogue.classes)} classes, {labeled} labeled, {unlabeled} unlabeled"
        print(f"  {split}: {counts} images")
    shared = find_shared_classes(catalogues)
    faults = _show(
        "classes in two splits", [f"{name}: {' and '.join(w)}" for name, w in shared.items()]
    )
    faults += _show("broken images, or of other sizes", _find_broken(list(catalogues.values())))
    same = find_same_images(catalogues)
    title = "images more than once"
    faults += _show(
        f"{title} ({count_kinds(same)})" if same else title, list(map(" = ".join, same))
    )
    return faults + _check_lists(folder)


def _check_lists(folder: pathlib.Path) -> list[str]:
    try:
        checked = check_folders(stored_folders(str(folder)))
    except MissingInputError:
        return _show("stored lists that do not fit", [])
    print("\n".join(f"  {line}" for line in check_lines(checked)))
    return [entry.problem for entry in checked if entry.problem]


def _show(title: str, faults: list[str]) -> list[str]:
    print(f"  {title}: {len(faults) or 'none'}")
    for fault in faults[:MAX_SHOWN]:
        print(f"    {fault}")
    if len(faults) > MAX_SHOWN:
        print(f"    and {len(faults) - MAX_SHOWN} more")
    return faults


def _find_broken(catalogues: Sequence[Catalogue]) -> list[str]:
    """Returns what is wrong with images, measured by the first that can be read."""
    paths = [c.path(row) for c in catalogues for row in range(len(c.names))]
    size, faults = None, []
    with Progress("reading images", len(paths), print_every=max(1, len(paths) // 4)) as progress:
        for path in paths:
            try:
                size = size or _size_of(path)
                check_image(path, size)
            except InputError as error:
                faults.append(str(error))
            progress.advance()
    return faults


def _size_of(path: str) -> int | None:
    try:
        with Image.open(path) as image:
            return image.width
    except OSError:
        return None


CHECK = Command("lst check", __doc__, run_check, words="<data set> [<data set> ...]")
