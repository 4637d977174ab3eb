"""What a classifier is given: pictures that a backbone embeds, or embeddings."""

import functools
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from sklearn.utils.validation import validate_data

from lst_tf2.predict.backbones import Backbone
from lst_tf2.predict.embedding import Embedder, Gathered, name_of, read_pixels
from lst_tf2.predict.embedding_cache import default_folder
from lst_tf2.predict.loading import load_backbone
from lst_tf2.predict.pictures import check_pictures
from lst_tf2.progress import Progress
from lst_tf2.structures import Features


class Inputs(Protocol):
    """Turns what a classifier is given into features."""

    backbone: Backbone | None

    def features(self, given: Any, *, with_maps: bool) -> tuple[Features, Sequence[bytes]]:
        """Returns features of all, maps of one cell but where asked for, and digests or none."""

    def embeddings(self, given: Any) -> np.ndarray:
        """Returns embeddings `[n, D]` float32."""


class EmbeddingInputs:
    """Takes embeddings as they are."""

    backbone = None

    def __init__(self, estimator: Any):
        self.estimator = estimator

    def features(self, given: Any, *, with_maps: bool) -> tuple[Features, Sequence[bytes]]:
        """Returns the features of embeddings `[n, D]`, and no digests."""
        embeddings = validate_data(self.estimator, given, dtype=np.float64, ensure_min_samples=2)
        return as_features(np.float32(embeddings)), ()

    def embeddings(self, given: Any) -> np.ndarray:
        """Returns `given` as `[n, D]` float32."""
        return np.float32(validate_data(self.estimator, given, dtype=np.float64, reset=False))


class PictureInputs:
    """Embeds pictures."""

    def __init__(self, backbone: Backbone, cache_folder: pathlib.Path | None, *, verbose: bool):
        self.backbone, self.cache_folder, self.verbose = backbone, cache_folder, verbose

    def embedder(self, *, with_maps: bool = False) -> Embedder:
        """Returns what embeds; it is not kept, as open files cannot be copied."""
        return Embedder(self.backbone, self.cache_folder, with_maps=with_maps)

    def gather(self, pictures: Sequence, label: str, *, with_maps: bool = False) -> Gathered:
        """Returns what is made of the pictures that can be read, and counts them on a bar."""
        with Progress(label, len(pictures), print_every=max(1, len(pictures) // 10)) as progress:
            return self.embedder(with_maps=with_maps).gather(pictures, progress)

    def features(self, given: Any, *, with_maps: bool) -> tuple[Features, Sequence[bytes]]:
        """Returns the features of pictures, and the digests of their contents."""
        gathered = self._gather_all(given, with_maps=with_maps)
        return gathered.features, gathered.digests

    def embeddings(self, given: Any) -> np.ndarray:
        """Returns the embeddings of pictures, `[n, D]` float32."""
        return self._gather_all(given).features.embeddings

    def _gather_all(self, given: Any, *, with_maps: bool = False) -> Gathered:
        check_pictures(given)
        if self.verbose:
            gathered = self.gather(given, "embedding", with_maps=with_maps)
        else:
            gathered = self.embedder(with_maps=with_maps).gather(given)
        for fault in gathered.faults.values():
            raise fault
        return gathered


def open_inputs(estimator: Any, given: Any = None) -> Inputs:
    """Returns what the parameters of an estimator ask for.

    Args:
        estimator: Has `backbone`, `image_size`, `weights`, `cache` and `verbose`.
        given: Pictures, whose statistics may be needed; None: there are none at hand.

    Raises:
        InputError: If there is no such backbone.
    """
    if estimator.backbone is None:
        return EmbeddingInputs(estimator)
    own_pixels = None
    if given is not None:
        check_pictures(given)
        own_pixels = functools.partial(read_pixels, given)
    named = (estimator.backbone, estimator.image_size, estimator.weights)
    backbone = load_backbone(*named, own_pixels)
    return PictureInputs(backbone, cache_folder(estimator.cache), verbose=estimator.verbose)


def cache_folder(cache: bool | str | os.PathLike) -> pathlib.Path | None:
    """Returns where embeddings are kept: nowhere for False, for True where this user's are."""
    if isinstance(cache, bool):
        return default_folder() if cache else None
    return pathlib.Path(cache)


def as_features(embeddings: np.ndarray) -> Features:
    """Returns features whose maps are one cell."""
    return Features(embeddings[:, np.newaxis, np.newaxis], embeddings)


def name_in_row(given: Any) -> Callable[[int], str]:
    """Returns what to call the picture in a row."""
    return lambda row: f"{name_of(given[row])} (number {row})"
