"""Keeps embeddings on disk, by the content of the picture and by the backbone.

Each row ends with a checksum: SQLite notices damage of its pages, not of what they hold.
"""

import contextlib
import hashlib
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
CHECKSUM_LENGTH = 8
WAIT_SECONDS = 60


def default_folder() -> pathlib.Path:
    """Returns where programs of this user keep what they can make again."""
    home = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(home, FOLDER)


class EmbeddingCache:
    """Holds the embeddings that one backbone made, in a file `<backbone>.sqlite`.

    Several processes may use it at once. A damaged file is removed and made again, as it
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
            except sqlite3.OperationalError:  # Locked, or a full disk: no damage.
                raise
            except sqlite3.DatabaseError:
                self.path.unlink()
                self.connection = self._open()
        except (OSError, sqlite3.Error) as error:
            raise InputError(
                f"Expected a folder for embeddings at {folder}, received {error}; name another, "
                "or do without (cache=none)."
            ).about("cache") from None

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=WAIT_SECONDS, check_same_thread=False)
        with connection:
            connection.execute("CREATE TABLE IF NOT EXISTS embeddings (digest PRIMARY KEY, floats)")
            connection.execute("SELECT digest, floats FROM embeddings LIMIT 1").fetchall()
        return connection

    def read(self, digest: bytes) -> np.ndarray | None:
        """Returns an embedding `[D]` float32, or None."""
        query = "SELECT floats FROM embeddings WHERE digest = ?"
        row = None
        with self.lock, self._tolerate():
            row = self.connection.execute(query, (digest,)).fetchone()
        if row and isinstance(row[0], bytes):
            floats = row[0][:-CHECKSUM_LENGTH]
            if len(floats) == 4 * self.width and row[0] == _sealed(digest, floats):
                return np.frombuffer(floats, "<f4")
        return None

    def write(self, digests: list[bytes], embeddings: np.ndarray) -> None:
        """Keeps embeddings `[B, D]`."""
        rows = [
            (digest, _sealed(digest, embedding.astype("<f4").tobytes()))
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


def _sealed(digest: bytes, floats: bytes) -> bytes:
    return floats + hashlib.blake2b(digest + floats, digest_size=CHECKSUM_LENGTH).digest()
