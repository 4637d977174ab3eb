"""Keeps embeddings on disk, by the content of the picture and by the backbone."""

import contextlib
import os
import pathlib
import sqlite3
import threading
from collections.abc import Iterator

import numpy as np

from lst_tf2.errors import InputError

FOLDER = "lst_tf2"
# Raise it when pixels are made of a picture in another way.
READING = 1


def default_folder() -> pathlib.Path:
    """Returns where programs of this user keep what they can make anew."""
    home = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(home, FOLDER)


class EmbeddingCache:
    """Holds the embeddings that one backbone made, in a file `<backbone>.sqlite`.

    Several processes may use it at once. A damaged file is removed and made anew, as it
    holds nothing else.
    """

    def __init__(self, folder: pathlib.Path, backbone: str, width: int):
        """Opens the file, made where there is none.

        Args:
            folder: Made where there is none.
            backbone: Digest of the backbone.
            width: D of its embeddings.

        Raises:
            InputError: If nothing can be written there.
        """
        self.path = folder / f"{backbone}-{READING}.sqlite"
        self.width, self.lock = width, threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            try:
                self.connection = self._open()
            except sqlite3.DatabaseError:
                self.path.unlink()
                self.connection = self._open()
        except (OSError, sqlite3.Error) as error:
            raise InputError(
                f"Expected a folder for embeddings at {folder}, received {error}; name another, "
                "or do without (cache=none)."
            ).about("cache") from None

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=60, check_same_thread=False)
        with connection:
            connection.execute("CREATE TABLE IF NOT EXISTS embeddings (digest PRIMARY KEY, floats)")
            connection.execute("SELECT digest, floats FROM embeddings LIMIT 1").fetchall()
        return connection

    def read(self, digest: bytes) -> np.ndarray | None:
        """Returns an embedding `[D]` float32, or None."""
        query = "SELECT floats FROM embeddings WHERE digest = ?"
        with self.lock, self._tolerate():
            row = self.connection.execute(query, (digest,)).fetchone()
            if row and isinstance(row[0], bytes) and len(row[0]) == 4 * self.width:
                embedding = np.frombuffer(row[0], "<f4")
                return embedding if np.isfinite(embedding).all() else None
        return None

    def write(self, digests: list[bytes], embeddings: np.ndarray) -> None:
        """Keeps embeddings `[B, D]`."""
        rows = [
            (digest, embedding.astype("<f4").tobytes())
            for digest, embedding in zip(digests, embeddings, strict=True)
        ]
        with self.lock, self._tolerate(), self.connection:
            self.connection.executemany("INSERT OR REPLACE INTO embeddings VALUES (?, ?)", rows)

    def close(self) -> None:
        """Closes the file."""
        self.connection.close()

    @staticmethod
    @contextlib.contextmanager
    def _tolerate() -> Iterator[None]:
        """Goes on where the file fails: a full disk or a fault costs time, no result."""
        with contextlib.suppress(sqlite3.Error):
            yield
