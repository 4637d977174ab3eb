"""Finds out what kind of source a folder or file is."""

import os
import pathlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

from lst_tf2.datasets.published import Published
from lst_tf2.datasets.readers import cifar, csv_lists, mini_imagenet, split_folders, tiered_imagenet
from lst_tf2.datasets.source import SourceClass
from lst_tf2.errors import InputError, MissingInputError


class Form(NamedTuple):
    """Describes a kind of source, tells whether one is of it, and reads it."""

    description: str
    fits: Callable[[pathlib.Path], bool]
    read: Callable[[pathlib.Path, Published], list[SourceClass]]


PROCESSED = (
    Form(
        "{labeled,unlabeled}_{train,val,test}/<class>/<image>",
        split_folders.has_pools,
        split_folders.read_pools,
    ),
    Form("{train,val,test}/<class>/<image>", split_folders.has_splits, split_folders.read_splits),
)
CSV = Form("{train,val,test}.csv with images/", csv_lists.has_csv, csv_lists.read_csv)
MINI = Form(
    "mini-imagenet-cache-{train,val,test}.pkl", mini_imagenet.has_cache, mini_imagenet.read_cache
)
TIERED = Form(
    "{train,val,test}_images_png.pkl or _images.npz with {train,val,test}_labels.pkl",
    tiered_imagenet.has_files,
    tiered_imagenet.read_files,
)
CIFAR = (
    Form("the file cifar-100-python.tar.gz", cifar.is_archive, cifar.read_archive),
    Form("cifar-100-python/{train,test,meta}", cifar.has_files, cifar.read_files),
    Form(
        "CIFAR-100 as {train,test}/<class>/<image> or <class>/<image>",
        cifar.has_class_folders,
        cifar.read_class_folders,
    ),
)
FORMS: dict[str, Sequence[Form]] = {
    "miniImagenet": (*PROCESSED, MINI, CSV),
    "tieredImagenet": (*PROCESSED, TIERED, CSV),
    "cifar_fs": (*PROCESSED, *CIFAR),
    "fc100": (*PROCESSED, *CIFAR),
}


def find_source(source: str | os.PathLike, remedy: str) -> pathlib.Path:
    """Returns `source` as an absolute path; `remedy` says where to get it.

    Raises:
        MissingInputError: If there is nothing.
    """
    if not source or not os.path.exists(source):
        shown = f"nothing at {source}" if source else "none"
        message = f"Expected a source to read, found {shown}; {remedy}."
        raise MissingInputError(message).about("source")
    return pathlib.Path(source).resolve()


def read_source(source: str | os.PathLike, published: Published) -> list[SourceClass]:
    """Returns the classes of a published data set, whatever form its source has.

    Raises:
        MissingInputError: If the source, or something in it, is missing.
        InputError: If it is of no known form or of more than one, damaged, or its classes are
            not the published ones.
    """
    forms = FORMS[published.name]
    accepted = "; ".join(form.description for form in forms)
    path = find_source(
        source, f"name a folder or file with one of: {accepted}. Get {published.where}"
    )
    fitting = [form for form in forms if form.fits(path)]
    if len(fitting) != 1:
        shown = " and ".join(form.description for form in fitting) or "none of them"
        raise InputError(
            f"Expected one form of {published.title} at {path} ({accepted}), received {shown}; "
            f"pass the folder or file that holds one, or get {published.where}."
        )
    return fitting[0].read(path, published)
