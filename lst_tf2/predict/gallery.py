"""The pictures of a page, each in it once."""

import os
from typing import NamedTuple

from lst_tf2.predict.thumbnails import thumbnail


class Tile(NamedTuple):
    """Holds a thumbnail with what is written below it."""

    image: str  # The id of its picture; "" where it cannot be read.
    caption: str
    about: str  # For those who cannot see it.


class Shelf(NamedTuple):
    """Holds thumbnails under a heading, and how many there are in all."""

    title: str
    tiles: list[Tile]
    total: int


class Gallery:
    """Gives each picture of a page an id, so that its pixels are in the page once."""

    def __init__(self):
        self.ids: dict[str, str] = {}
        self.sources: dict[str, str] = {}

    def add(self, path: str) -> str:
        """Returns the id of a picture; "" where it cannot be read."""
        if path not in self.ids:
            source = thumbnail(path)
            self.ids[path] = f"i{len(self.sources)}" if source else ""
            if source:
                self.sources[self.ids[path]] = source
        return self.ids[path]

    def tile(self, path: str, caption: str) -> Tile:
        """Returns a thumbnail of a picture."""
        return Tile(self.add(path), caption, f"{os.path.basename(path)}: {caption}")
