"""What every kind of source is read into: classes of images, each read when it is asked for."""

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Protocol

from lst_tf2.datasets.fit_images import UNREADABLE, ImageFile, is_unreadable, one_line
from lst_tf2.errors import InputError


class Images(Protocol):
    """Gives the images of one class, by index."""

    def read(self, index: int, image_size: int) -> ImageFile:
        """Returns an image that fits the layout.

        Raises `InputError` or one of `UNREADABLE` if it cannot be decoded.
        """

    def describe(self, index: int) -> str:
        """Returns what to call an image in messages."""

    def stamp(self) -> str:
        """Returns a text that changes when the images do."""


@dataclasses.dataclass(frozen=True)
class SourceClass:
    """Holds one class of a source: the split that it goes to and its images.

    `stems` are the names that the images get, without suffix. `pools` are those of the images
    where the source has its own, `labeled` or `unlabeled`; None has them drawn.
    """

    name: str
    split: str
    stems: Sequence[str]
    images: Images
    pools: Sequence[str] | None = None

    def digest(self) -> str:
        """Returns a checksum that changes when the class does."""
        parts = (self.name, self.split, *self.stems, *(self.pools or ()), self.images.stamp())
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()


@dataclasses.dataclass(frozen=True)
class WholeImages:
    """Gives `images` that all have to be there: those of a published set."""

    images: Images

    def read(self, index: int, image_size: int) -> ImageFile:
        """Returns an image that fits the layout.

        Raises:
            InputError: If it cannot be decoded.
            OSError: If the system cannot read it.
        """
        try:
            return self.images.read(index, image_size)
        except UNREADABLE as error:
            if not is_unreadable(error):
                raise
            raise InputError(
                f"Expected an image at {self.describe(index)}, received one that cannot be "
                f"decoded ({one_line(error)}); use a complete copy of the source."
            ) from None

    def describe(self, index: int) -> str:
        """Returns what to call an image in messages."""
        return self.images.describe(index)

    def stamp(self) -> str:
        """Returns a text that changes when the images do."""
        return self.images.stamp()
