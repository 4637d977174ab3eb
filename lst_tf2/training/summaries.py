"""TensorBoard summaries of a run."""

import dataclasses
import functools
import json
import pathlib
from typing import Any

import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams

from lst_tf2.runs.run_folder import FREE_SETTINGS, flatten


class Summaries:
    """Writes scalars, histograms and settings below `<run folder>/logs`."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder

    @functools.cached_property
    def writer(self) -> tf.summary.SummaryWriter:
        """The file, made when first written to: of several workers, one writes."""
        return tf.summary.create_file_writer(str(self.folder / "logs"))

    def write_settings(self, config: Any) -> None:
        """Writes the configuration as text and as HParams."""
        settings = dataclasses.asdict(config)
        text = f"```json\n{json.dumps(settings, indent=2)}\n```"
        values = {
            name: value if isinstance(value, int | float | str) else str(value)
            for name, value in flatten(settings).items()
            if name.split(".")[0] not in FREE_SETTINGS
        }
        with self.writer.as_default(step=0):
            tf.summary.text("settings", text)
            hparams.hparams(values)
        self.writer.flush()

    def write_scalars(self, step: int, scalars: dict[str, float]) -> None:
        """Writes each of `scalars` under its name."""
        with self.writer.as_default(step=step):
            for name, value in scalars.items():
                tf.summary.scalar(name, value)
        self.writer.flush()

    def write_histogram(self, step: int, name: str, values: tf.Tensor) -> None:
        """Writes the distribution of `values`."""
        with self.writer.as_default(step=step):
            tf.summary.histogram(name, values)
        self.writer.flush()
