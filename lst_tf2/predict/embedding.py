"""From pictures to embeddings, any number of them in constant memory.

Threads read and shrink pictures ahead, a batch of them is embedded at a time, and embeddings are
kept by the digest of a picture's bytes: a copy under another name is not embedded again.
"""

import concurrent.futures
import functools
import itertools
import os
import pathlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from lst_tf2.predict.backbones import Backbone
from lst_tf2.predict.embedding_cache import EmbeddingCache
from lst_tf2.predict.pictures import (
    Picture,
    UnreadableImageError,
    digest_of,
    fit_pixels,
    read_content,
)
from lst_tf2.progress import Progress
from lst_tf2.structures import Features

AT_ONCE = 64
# Batches that are read while one is embedded.
AHEAD = 3
# Pictures that a thread reads before it takes others.
A_TASK = 16


class Embedded(NamedTuple):
    """Holds what was made of one picture."""

    picture: Picture
    digest: bytes = b""
    embedding: np.ndarray | None = None  # [D] float32
    maps: np.ndarray | None = None  # [H, W, D] float32 where asked for, else [1, 1, D]
    fault: UnreadableImageError | None = None  # In place of these.


class Gathered(NamedTuple):
    """Holds what was made of the n pictures that can be read, out of some."""

    features: Features  # [n, ...]
    digests: list[bytes]
    rows: list[int]  # Their places.
    faults: dict[int, UnreadableImageError]  # By place, of the others.


class Read(NamedTuple):
    """Holds what was read of one picture: its embedding, else its pixels, else what is wrong."""

    digest: bytes = b""
    embedding: np.ndarray | None = None
    pixels: np.ndarray | None = None
    fault: UnreadableImageError | None = None


class Embedder:
    """Embeds pictures with a backbone; what it has embedded before comes from a cache.

    A cache holds no maps: where they are asked for, it is not used.
    """

    def __init__(
        self, backbone: Backbone, cache_folder: pathlib.Path | None = None, *, with_maps=False
    ):
        """Opens the cache.

        Args:
            backbone: What embeds.
            cache_folder: Where embeddings of this backbone are kept; None: nowhere.
            with_maps: Whether maps `[H, W, D]` are wanted beside the embeddings.
        """
        self.backbone, self.cache, self.with_maps = backbone, None, with_maps
        self.width = int(backbone.model.output_shape[-1])
        if cache_folder is not None and not with_maps:
            self.cache = EmbeddingCache(cache_folder, backbone.digest, self.width)

    def stream(self, pictures: Iterable[Picture]) -> Iterator[Embedded]:
        """Yields what is made of each picture, in order; few are in memory at a time.

        A picture that cannot be read raises nothing: its `fault` says what is wrong.
        """
        return itertools.chain.from_iterable(self.stream_groups(pictures))

    def stream_groups(self, pictures: Iterable[Picture]) -> Iterator[list[Embedded]]:
        """Yields the same, as many at a time as are embedded at once."""
        for group, read in read_ahead(pictures, self.backbone.image_size, self.cache):
            made = iter(self._embed([one for one in read if one.pixels is not None]))
            yield [
                Embedded(picture, one.digest, *self._parts(one, made), one.fault)
                for picture, one in zip(group, read, strict=True)
            ]

    def gather(self, pictures: Sequence[Picture], progress: Progress | None = None) -> Gathered:
        """Returns what is made of all pictures at once."""
        found, faults = [], {}
        for place, one in enumerate(self.stream(pictures)):
            if one.fault is None:
                found.append((place, one))
            else:
                faults[place] = one.fault
            if progress is not None:
                progress.advance()
        embeddings = np.zeros((len(found), self.width), np.float32)
        maps = embeddings[:, np.newaxis, np.newaxis]
        if found:
            embeddings = np.stack([one.embedding for _, one in found])
            maps = np.stack([one.maps for _, one in found])
        digests, rows = [one.digest for _, one in found], [place for place, _ in found]
        return Gathered(Features(maps, embeddings), digests, rows, faults)

    def _parts(self, one: Read, made: Iterator[Features]) -> tuple:
        """Returns embedding and maps of what was read, those of `made` where it is new."""
        if one.pixels is not None:
            maps, embedding = next(made)
            return embedding, maps if self.with_maps else embedding[np.newaxis, np.newaxis]
        if one.embedding is not None:
            return one.embedding, one.embedding[np.newaxis, np.newaxis]
        return None, None

    def _embed(self, fresh: list[Read]) -> Iterator[Features]:
        """Returns the features of each; the cache learns the embeddings."""
        if not fresh:
            return iter(())
        pixels = tf.constant(np.stack([one.pixels for one in fresh]))
        maps, embeddings = (part.numpy() for part in self.backbone.embed(pixels))
        if self.cache is not None:
            self.cache.write([one.digest for one in fresh], embeddings)
        return map(Features, maps, embeddings)


def read_ahead(
    pictures: Iterable[Picture], image_size: int, cache: EmbeddingCache | None = None
) -> Iterator[tuple[list[Picture], list[Read]]]:
    """Yields pictures in groups, and what is read of each; threads do so ahead.

    Args:
        pictures: Paths, arrays or images of Pillow; taken from as needed.
        image_size: Pixels of a side that they are fitted to.
        cache: Where an embedding that is known saves the decoding.
    """
    pictures, waiting = iter(pictures), deque()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        while True:
            while len(waiting) <= AHEAD:
                if not (group := list(itertools.islice(pictures, AT_ONCE))):
                    break
                parts = [group[i : i + A_TASK] for i in range(0, len(group), A_TASK)]
                read = functools.partial(read_pictures, image_size=image_size, cache=cache)
                waiting.append((group, [pool.submit(read, part) for part in parts]))
            if not waiting:
                return
            group, futures = waiting.popleft()
            yield group, list(itertools.chain.from_iterable(f.result() for f in futures))


def read_pixels(pictures: Iterable[Picture], image_size: int) -> np.ndarray:
    """Returns the pixels `[n, s, s, 3]` uint8 of all pictures that can be read, side by side."""
    groups = (read for _, read in read_ahead(pictures, image_size))
    read = itertools.chain.from_iterable(groups)
    return np.stack([one.pixels for one in read if one.pixels is not None])


def read_pictures(
    pictures: Sequence[Picture], image_size: int, cache: EmbeddingCache | None
) -> list[Read]:
    """Returns what is read of some pictures."""
    return [read_picture(picture, image_size, cache) for picture in pictures]


def read_picture(picture: Picture, image_size: int, cache: EmbeddingCache | None = None) -> Read:
    """Reads a picture, its pixels where the cache does not have its embedding."""
    try:
        content = read_content(picture)
        digest = digest_of(content)
        embedding = cache.read(digest) if cache is not None else None
        if embedding is not None:
            return Read(digest, embedding)
        return Read(digest, None, fit_pixels(content, image_size, name_of(picture)))
    except UnreadableImageError as fault:
        return Read(fault=fault)


def name_of(picture: Picture) -> str:
    """Returns what an error calls a picture: its path, or what kind of object it is."""
    if isinstance(picture, str | os.PathLike):
        return os.fspath(picture)
    shape = getattr(picture, "shape", getattr(picture, "size", ""))
    return f"{type(picture).__name__} {shape}"
