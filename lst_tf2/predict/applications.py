"""Backbones of `keras.applications` by name: `keras:EfficientNetV2B0`."""

import contextlib
import inspect
import os
import sys
from collections.abc import Callable, Iterator

import keras

from lst_tf2.errors import InputError, check
from lst_tf2.predict.backbone_names import PREFIX
from lst_tf2.predict.backbones import Backbone, from_model

FETCHED = "imagenet"


def list_applications() -> list[str]:
    """Returns the names of all networks of `keras.applications`."""
    return sorted(name for name, _ in inspect.getmembers(keras.applications, inspect.isfunction))


def build_application(
    name: str, image_size: int | None = None, weights: str | os.PathLike | None = None
) -> Backbone:
    """Returns a network of `keras.applications` with its own preprocessing.

    Args:
        name: `keras:<network>`.
        image_size: In pixels; by default that of its published weights.
        weights: A file of weights without the top layer; None: Keras fetches those of ImageNet at
            the first use.

    Raises:
        InputError: If there is no such network, or its weights cannot be had.
    """
    known, short = list_applications(), name.removeprefix(PREFIX)
    expected = f"a network of keras.applications ({', '.join(known)})"
    check(short in known, expected, repr(short), "name one", "backbone")
    build = getattr(keras.applications, short)
    size = image_size or _published_size(build)
    source = FETCHED if weights is None else os.fspath(weights)
    with _tell_of_weights(name, source):
        network = build(include_top=False, weights=source, input_shape=(size, size, 3))
    pixels = keras.Input((size, size, 3))
    # In the module of its family, where the function was written.
    preprocess = sys.modules[build.__module__].preprocess_input
    outputs = network(preprocess(pixels))
    return from_model(name, keras.Model(pixels, outputs), size)


def _published_size(build: Callable[..., keras.Model]) -> int:
    return build(weights=None).input_shape[1]


@contextlib.contextmanager
def _tell_of_weights(name: str, source: str) -> Iterator[None]:
    """Turns what Keras raises for missing or other weights into `InputError`."""
    try:
        yield
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        if source == FETCHED:
            remedy = "without internet, fetch its `_notop` file elsewhere and pass weights=<file>"
            received = f"no answer ({reason})"
            expected = f"to fetch the weights of {name} from where Keras keeps them"
        else:
            expected = f"weights of {name} without its top layer in {source}"
            received, remedy = f"something else ({reason})", "pass the file named `_notop`"
        raise InputError(f"Expected {expected}, received {received}; {remedy}.").about(
            "weights"
        ) from error
