"""Published data sets: their classes in each split, their counts, and where to get them.

The lists are in `splits/<name>.json`, each with its source.
"""

import dataclasses
import importlib.resources
import json
from collections.abc import Collection, Mapping, Sequence

from lst_tf2.config import SPLITS
from lst_tf2.datasets.source import SourceClass
from lst_tf2.errors import InputError, check

NAMES = ("miniImagenet", "tieredImagenet", "cifar_fs", "fc100")
NUM_NAMED = 3


@dataclasses.dataclass(frozen=True)
class Published:
    """Describes a published data set.

    `source` names the paper and the lists, `where` the pages that have the images. `images`
    counts those of each split, `images_per_class` those of each class where all have as many.
    """

    name: str
    title: str
    source: str
    where: str
    image_size: int
    images: Mapping[str, int]
    images_per_class: int | None
    unlabeled_fraction: float
    classes: Mapping[str, Sequence[str]]

    def all_classes(self) -> list[str]:
        """Returns the classes of all splits."""
        return [name for split in SPLITS for name in self.classes[split]]


def load_published(name: str) -> Published:
    """Returns one of the data sets `NAMES`."""
    path = importlib.resources.files("lst_tf2.datasets") / "splits" / f"{name}.json"
    return Published(name=name, **json.loads(path.read_text(encoding="utf-8")))


def check_classes(found: Collection[str], expected: Sequence[str], what: str, where: str) -> None:
    """Checks that the classes of a source are the published ones.

    Args:
        found: Classes of the source.
        expected: Published classes.
        what: Where the classes were found.
        where: Where to get the right ones.

    Raises:
        InputError: If they differ.
    """
    missing, unknown = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    faults = [
        f"{word} {', '.join(map(repr, names[:NUM_NAMED]))}"
        + (f" and {len(names) - NUM_NAMED} more" if len(names) > NUM_NAMED else "")
        for word, names in (("without", missing), ("with", unknown))
        if names
    ]
    if faults:
        raise InputError(
            f"Expected the {len(expected)} published classes in {what}, received "
            f"{len(found)} classes {', '.join(faults)}; get {where}."
        )


def check_counts(classes: Sequence[SourceClass], published: Published) -> None:
    """Raises `InputError` unless there are as many images as are published."""
    remedy = f"use a complete copy: {published.where}"
    for entry in classes if published.images_per_class else ():
        what = f"{published.images_per_class} images of class {entry.name!r}"
        check(len(entry.stems) == published.images_per_class, what, len(entry.stems), remedy)
    for split, expected in published.images.items():
        found = sum(len(entry.stems) for entry in classes if entry.split == split)
        check(found == expected, f"{expected} images of {published.title} {split}", found, remedy)
