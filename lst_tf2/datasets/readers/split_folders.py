"""Reads images that others laid out in folders of splits, as the original program has them."""

import pathlib

from lst_tf2.config import SPLITS
from lst_tf2.data.layout import POOLS
from lst_tf2.datasets.published import Published, check_classes
from lst_tf2.datasets.readers.folders import FileImages, list_classes, list_images
from lst_tf2.datasets.source import SourceClass
from lst_tf2.errors import MissingInputError, check


def has_pools(source: pathlib.Path) -> bool:
    """Returns whether `source` has folders of pools."""
    return any((source / f"{pool}_{split}").is_dir() for pool in POOLS for split in SPLITS)


def read_pools(source: pathlib.Path, published: Published) -> list[SourceClass]:
    """Returns the classes of `{labeled,unlabeled}_{train,val,test}/<class>/<image>`.

    Raises:
        InputError: If the classes are not the published ones or a link leads out of the source.
    """
    return [entry for split in SPLITS for entry in _read_split_pools(source, split, published)]


def _read_split_pools(source: pathlib.Path, split: str, published: Published) -> list[SourceClass]:
    found = {
        pool: _published_classes(source / f"{pool}_{split}", source, split, published)
        for pool in POOLS
    }
    classes = []
    for name in published.classes[split]:
        paths = [path for pool in POOLS for path in found[pool][name]]
        pools = [pool for pool in POOLS for _ in found[pool][name]]
        check(
            set(pools) == set(POOLS),
            f"images of class {name!r} in {' and '.join(f'{pool}_{split}' for pool in POOLS)}",
            f"{len(paths)} in {pools[0] if pools else 'neither'} alone",
            f"get {published.where}",
        )
        stems = [path.stem for path in paths]
        classes.append(SourceClass(name, split, stems, FileImages(source, paths), pools))
    return classes


def has_splits(source: pathlib.Path) -> bool:
    """Returns whether `source` has a folder for each split."""
    return all((source / split).is_dir() for split in SPLITS)


def read_splits(source: pathlib.Path, published: Published) -> list[SourceClass]:
    """Returns the classes of `{train,val,test}/<class>/<image>`.

    Raises:
        InputError: If the classes are not the published ones or a link leads out of the source.
    """
    classes = []
    for split in SPLITS:
        found = _published_classes(source / split, source, split, published)
        classes += [
            SourceClass(name, split, [p.stem for p in found[name]], FileImages(source, found[name]))
            for name in published.classes[split]
        ]
    return classes


def _published_classes(
    folder: pathlib.Path, source: pathlib.Path, split: str, published: Published
) -> dict[str, list[pathlib.Path]]:
    """Returns the images of each class in `folder`."""
    if not folder.is_dir():
        raise MissingInputError(
            f"Expected class folders in {folder}, found no such folder; get {published.where}."
        )
    found = list_classes(folder, source)
    check_classes(found, published.classes[split], f"{folder}", published.where)
    return {name: list_images(paths) for name, paths in found.items()}
