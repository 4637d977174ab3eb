"""Faults that a test brings about without harm to its machine."""

import contextlib
import io
import json
import resource

from lst_tf2.storage.files import read_json


@contextlib.contextmanager
def files_of_at_most(num_bytes):
    """Lets no file grow above so many bytes, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class InterruptingText(io.StringIO):
    """Stands for stderr: Ctrl-C comes when `words` are written to it."""

    def __init__(self, words):
        super().__init__()
        self.words = words

    def write(self, text):
        if self.words in text:
            raise KeyboardInterrupt
        return super().write(text)


def forget_checksums(folder):
    """Takes the checksums out of stored episode lists, as earlier versions stored them."""
    path = folder / "list.json"
    about = read_json(path)
    del about["sha256"]
    path.write_text(json.dumps(about))


def visible(folder):
    """Returns what lies in a folder, locks aside, sorted by name."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith(".lock"))


def flip_bit(path, bit):
    """Changes one bit of a file."""
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
