"""From what a user names as a backbone to the backbone."""

import functools
import os
import pathlib
from collections.abc import Iterator

import keras

from lst_tf2.errors import check
from lst_tf2.predict.applications import build_application, list_applications
from lst_tf2.predict.backbone_names import PREFIX, check_name, find_folder, list_presets
from lst_tf2.predict.backbones import Backbone, from_model
from lst_tf2.predict.our_backbones import OwnPixels, from_run
from lst_tf2.predict.presets import is_preset, read_backbone, read_keras_model

# What is loaded stays: a search fits many classifiers with one backbone.
KEPT = 4

Named = str | os.PathLike | keras.Model


def list_backbones() -> list[str]:
    """Returns the backbones that go by a name: presets, and networks of `keras.applications`."""
    return [*list_presets(), *(f"{PREFIX}{name}" for name in list_applications())]


def load_backbone(
    backbone: Named,
    image_size: int | None = None,
    weights: str | os.PathLike | None = None,
    own_pixels: OwnPixels | None = None,
) -> Backbone:
    """Returns a backbone.

    Args:
        backbone: A preset's name, `keras:<network>`, the folder of a preset, of a run or of
            converted weights, a file of a Keras model, or such a model.
        image_size: Side of the images in pixels; by default the backbone's own.
        weights: A file, for a network of `keras.applications`.
        own_pixels: Gives the pixels of the pictures at hand, for statistics of batch norm.

    Raises:
        InputError: If there is no such backbone, or it is damaged or does not fit.
    """
    if isinstance(backbone, keras.Model):
        return from_model(backbone.name, backbone, image_size)
    name = os.fspath(backbone)
    is_application = name.startswith(PREFIX)
    expected = f"weights beside a backbone {PREFIX}<network>"
    check(weights is None or is_application, expected, repr(name), "leave them out", "weights")
    if is_application:
        path = pathlib.Path(weights).absolute() if weights else None
        return _load_application(name, image_size, path, *_states_of(path))
    check_name(name)
    folder = find_folder(name)
    if folder.is_dir():
        if is_preset(folder):
            states = _states_of(*sorted(folder.iterdir()))
            return _load_preset(folder.resolve(), image_size, *states)
        return from_run(folder, own_pixels, image_size)
    return from_model(name, read_keras_model(folder), image_size)


def _states_of(*paths: pathlib.Path | None) -> Iterator[tuple]:
    """Yields what changes with each file, so that one that was written again is read again."""
    for path in paths:
        if path is not None and path.exists():  # Else its reader tells.
            state = path.stat()
            yield path, state.st_ino, state.st_size, state.st_mtime_ns


@functools.lru_cache(KEPT)
def _load_application(
    name: str, image_size: int | None, weights: pathlib.Path | None, *_: tuple
) -> Backbone:
    return build_application(name, image_size, weights)


@functools.lru_cache(KEPT)
def _load_preset(folder: pathlib.Path, image_size: int | None, *_: tuple) -> Backbone:
    return read_backbone(folder, image_size)
