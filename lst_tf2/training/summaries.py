"""TensorBoard summaries of a run."""

import contextlib
import dataclasses
import functools
import json
import pathlib
import tempfile
from collections.abc import Iterator
from typing import Any

import tensorflow as tf
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.plugins.hparams import api as hparams

from lst_tf2.errors import InputError
from lst_tf2.settings import flag_values
from lst_tf2.storage.files import write_bytes

EVENT_FILES = "events.out.tfevents.*"


class Summaries:
    """Writes scalars, histograms and settings below `<run folder>/logs`."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder / "logs"

    @functools.cached_property
    def writer(self) -> tf.summary.SummaryWriter:
        """The file, made when first written to: of several workers, one writes."""
        return tf.summary.create_file_writer(str(self.folder))

    def begin(self, step: int, config: Any, *, redone: str = "") -> None:
        """Goes on after `step` steps: drops what a killed run wrote of later ones.

        Of `step` itself it drops what is `redone`, by the beginning of the name. The
        configuration is written as text, and by its flags as HParams, where there is none yet.
        """
        for path in self.folder.glob(EVENT_FILES):
            drop_later_events(path, step, redone)
        if any(self.folder.glob(EVENT_FILES)):
            return
        settings = dataclasses.asdict(config)
        text = f"```json\n{json.dumps(settings, indent=2)}\n```"
        with self._writing(step=0):
            tf.summary.text("settings", text)
            hparams.hparams(flag_values(config))

    def write_scalars(self, step: int, scalars: dict[str, float]) -> None:
        """Writes each of `scalars` under its name."""
        with self._writing(step):
            for name, value in scalars.items():
                tf.summary.scalar(name, value)

    def write_histogram(self, step: int, name: str, values: tf.Tensor) -> None:
        """Writes the distribution of `values`."""
        with self._writing(step):
            tf.summary.histogram(name, values)

    @contextlib.contextmanager
    def _writing(self, step: int) -> Iterator[None]:
        try:
            with self.writer.as_default(step=step):
                yield
            self.writer.flush()
        except tf.errors.OpError as error:
            reason = error.message.partition("\n")[0].rpartition("; ")[2]
            raise InputError(
                f"Expected to write to {self.folder}, received: {reason}; make room there, or make "
                "it writable, and give the same command again."
            ) from None


def drop_later_events(path: pathlib.Path, step: int, redone: str = "") -> None:
    """Rewrites a file of events without those after `step`; before the first step it is removed.

    What follows a place where the file is cut or damaged is dropped too.
    """
    if step == 0:
        path.unlink()
        return
    events = list(RawEventFileLoader(str(path)).Load())
    kept = [event for event in events if _is_before(Event.FromString(event), step, redone)]
    with tempfile.TemporaryDirectory() as folder:
        fresh = pathlib.Path(folder) / path.name
        with tf.io.TFRecordWriter(str(fresh)) as writer:
            for event in kept:
                writer.write(event)
        content = fresh.read_bytes()
    if content != path.read_bytes():
        write_bytes(path, content)


def _is_before(event: Event, step: int, redone: str) -> bool:
    names = [value.tag for value in event.summary.value]
    is_redone = bool(redone) and any(name.startswith(redone) for name in names)
    return event.step < step or (event.step == step and not is_redone)
