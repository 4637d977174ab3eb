"""Reads the recorded numbers of the original program, `tests/golden/*.npz`."""

import contextlib
import dataclasses
import json
import pathlib
import tempfile

import numpy as np
import tensorflow as tf

from lst_tf2.config import (
    EpisodeConfig,
    ListConfig,
    LoopConfig,
    MetaTestConfig,
    MetaTrainConfig,
    ModelConfig,
)
from lst_tf2.evaluation.meta_test import restore_learner
from lst_tf2.runs.checkpoints import CheckpointStore
from lst_tf2.structures import Episode, Examples
from lst_tf2.tf1.weight_files import find_steps
from lst_tf2.tf1.weight_import import read_step, write_checkpoint
from lst_tf2.training.meta_train import build_trainer
from tests.golden import recipe
from tests.tf1_graph import write_npy_files

# What the package computes in: float64 with the plugin `tests.double_precision`.
FLOAT = tf.float32.as_numpy_dtype
IS_DOUBLE = FLOAT is np.float64
# The most that a float64 run may be from the original's; it is 3e-14 or less away.
DOUBLE_LIMIT = 1e-10
STEP = 15000
FOLDER = pathlib.Path(__file__).parent / "golden"


def as_images(rows):
    """Gives the original's rows of pixels shape and type."""
    return rows.reshape(-1, 84, 84, 3).astype(FLOAT)


class Golden:
    """One recorded run: its settings, its inputs made again, its numbers.

    Weights go the way of a user's: files as the original writes them, the converter, and
    what the scripts read them with.
    """

    def __init__(self, name):
        self.arrays = np.load(FOLDER / f"{name}.npz")
        self.config = json.loads(str(self.arrays["config"]))
        self.flags = {"way_num": 5, "shot_num": 1, "base_lr": 0.01} | self.config["flags"]
        self.seeds = self.config["seeds"]
        self.way, self.shot = self.flags["way_num"], self.flags["shot_num"]

    @property
    def model(self):
        return ModelConfig(activation=self.flags.get("activation", "leaky_relu"))

    def groups(self):
        """The arrays of the original's files, by group and name."""
        return {
            "weights": recipe.make_weights(self.seeds["weights"]),
            "ss_weights": recipe.make_ss(self.seeds["ss"]),
            "fc_weights": recipe.make_fc(self.seeds["fc"], self.way),
            "swn_weights": recipe.make_swn(self.seeds["swn"]),
        }

    @contextlib.contextmanager
    def run_folder(self, write=write_npy_files):
        """A run folder that the converter made of files as the original writes them."""
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            write(folder / "original", self.groups(), STEP)
            files = find_steps(folder / "original")[STEP]
            write_checkpoint(read_step(files, STEP, self.model), folder / "run")
            yield folder / "run"

    def learner(self, write=write_npy_files):
        """The learner that `lst test` would test."""
        episode = EpisodeConfig(self.way, unlabeled_per_class=30)
        with self.run_folder(write) as folder:
            config = MetaTestConfig(
                run_folder=str(folder),
                pretrained_path="",
                test_iter=str(STEP),
                test_list=ListConfig("", "test", episode, 1),
                model=self.model,
            )
            return restore_learner(config)[0]

    def trainer(self, adaptation, *, recompute=False):
        """The trainer with which `lst train` would go on."""
        with self.run_folder() as folder:
            lists = ListConfig("", "train", EpisodeConfig(self.way), 1)
            config = MetaTrainConfig(
                run_folder=str(folder),
                pretrained_path=str(folder / f"step_{STEP}.npz"),
                train_list=lists,
                val_list=lists,
                loop=LoopConfig(1, 1, 1, 1),
                model=dataclasses.replace(self.model, recompute=recompute),
                adaptation=adaptation,
            )
            trainer = build_trainer(config)
            assert CheckpointStore(folder, trainer.named_variables()).restore_newest() == STEP
            return trainer

    def episode(self, seed):
        task, flags = self.config["task"], self.flags
        arrays = recipe.make_task(
            seed,
            self.way,
            self.shot,
            task["query"],
            flags["nb_ul_samples"],
            task.get("distractor_classes") or 0,
            task.get("distractors") or 0,
            task.get("shuffle_unlabeled") or False,
            task.get("class_amp") or 0.25,
            task.get("noise_amp") or 0.2,
        )
        images = {key: as_images(arrays[key]) for key in arrays if key[0] == "x"}
        labels = {key: arrays[key].argmax(-1).astype(np.int32) for key in arrays if key[0] == "y"}
        distractors = images.get("xd", np.zeros([0, 84, 84, 3], FLOAT))
        return Episode(
            support=Examples(images["xa"], labels["ya"]),
            query=Examples(images["xb"], labels["yb"]),
            unlabeled=Examples(images["xc"], labels["yc"]),
            distractors=Examples(distractors, np.full(len(distractors), -1, np.int32)),
        )

    def meta_batch(self, seeds):
        episodes = [self.episode(seed) for seed in seeds]
        return tf.nest.map_structure(lambda *arrays: np.stack(arrays), *episodes)

    def truth(self, name):
        """The recorded array: the float64 run where there is one."""
        return self.recorded(self.best_key(name))

    def noise(self, name):
        """How far the original's own float32 run is from its float64 run."""
        return np.abs(self.recorded(name) - self.truth(name))

    def has_double(self, name):
        return f"f64/{name}" in self.arrays or f"f64/{name}|shape" in self.arrays

    def best_key(self, name):
        return f"f64/{name}" if self.has_double(name) else name

    def recorded(self, key):
        kind, value = recipe.decode(self.arrays, key)
        return value if kind == "full" else value["sample"]

    def assert_close(self, actual, name, float32_limit, float64_limit=DOUBLE_LIMIT):
        """Fails unless `actual` is near enough, relative to the recorded largest entry."""
        self._assert_below(self.errors(actual, name, np.inf), name, float32_limit, float64_limit)

    def assert_close_l2(self, actual, name, float32_limit, float64_limit=DOUBLE_LIMIT):
        """Fails unless the L2 distance is small enough, relative to the recorded L2 norm."""
        self._assert_below(self.errors(actual, name, 2), name, float32_limit, float64_limit)

    def _assert_below(self, errors, name, *limits):
        limit = limits[IS_DOUBLE and self.has_double(name)]
        for what, error in errors.items():
            told = f"{name}: relative error of the {what} {error:.2e}, allowed {limit:.0e}"
            assert error < limit, told

    def errors(self, actual, name, order):
        """Returns relative errors of what is recorded: the entries, their norm and sum.

        That of the sum is relative to the sum without signs.
        """
        ours, theirs = self.sampled(actual, name).ravel(), self.truth(name).ravel()
        errors = {"entries": np.linalg.norm(ours - theirs, order) / np.linalg.norm(theirs, order)}
        key = self.best_key(name)
        if f"{key}|shape" in self.arrays:
            ours, norm = np.asarray(actual, np.float64), self.arrays[f"{key}|l2"]
            errors["norm"] = abs(np.linalg.norm(ours) / norm - 1)
            errors["sum"] = abs(ours.sum() - self.arrays[f"{key}|sum"]) / np.abs(ours).sum()
        return errors

    def sampled(self, actual, name):
        actual = np.asarray(actual, np.float64)
        if f"{name}|shape" not in self.arrays.files:
            assert actual.shape == self.arrays[name].shape, name
            return actual
        assert actual.shape == tuple(self.arrays[f"{name}|shape"]), name
        return actual.ravel()[recipe.sample_indices(actual.size)]


def images_of(golden):
    """Returns the images that a recording was made with."""
    n = golden.config["n"]
    images, _ = recipe.make_images(
        golden.seeds["images"], golden.way, -(-n // golden.way), instance_seed=1
    )
    return as_images(images[:n])
