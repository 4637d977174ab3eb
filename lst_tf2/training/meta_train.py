"""Meta-training of scaling, shifting, initial classifier and soft weighting network.

The second phase (arXiv:1906.00562, algorithm 1): each step adapts a classifier to the episodes of
a meta-batch and descends on the loss of their queries. This module opens what a run needs and
does what is due between steps; `meta_step` takes the step itself.
"""

import contextlib
import math
import pathlib
from collections.abc import Callable, Mapping

import keras
import numpy as np
import tensorflow as tf

from lst_tf2.adaptation.stages import tell_of_rows
from lst_tf2.config import LoopConfig, MetaTrainConfig
from lst_tf2.data.cache import open_images
from lst_tf2.data.feeding_order import arrange_for_training, training_arrangement
from lst_tf2.data.images import ImageSource
from lst_tf2.data.leaks import check_dataset
from lst_tf2.data.lists import EpisodeLists, open_lists
from lst_tf2.data.pipeline import meta_batch_indices, stream_episodes, stream_meta_batches
from lst_tf2.distribution.strategy import Distribution, check_same_step, distribute
from lst_tf2.models.learner import Learner
from lst_tf2.progress import Progress
from lst_tf2.runs.checkpoints import CheckpointStore
from lst_tf2.runs.initial_weights import restore_start
from lst_tf2.runs.run_folder import open_run
from lst_tf2.stopping import end_signal
from lst_tf2.structures import Episode
from lst_tf2.training.distributed_step import DistributedMetaTrainer
from lst_tf2.training.failed_step import keep_failed_step
from lst_tf2.training.loop import Every, check_finite, is_due, run_steps
from lst_tf2.training.meta_step import MetaTrainer
from lst_tf2.training.optimizers import rate_of
from lst_tf2.training.profiling import profile
from lst_tf2.training.summaries import Summaries


def meta_train(config: MetaTrainConfig, *, overwrite: bool = False) -> str:
    """Meta-trains into `config.run_folder`, going on where it stopped.

    With several processes, each calls this and computes its share of every meta-batch; the chief
    alone writes.

    Args:
        config: What to train, on what, from which weights, and where to.
        overwrite: Whether a run with other settings in that folder is replaced.

    Returns:
        What was written, a sentence.

    Raises:
        InputError: If the data, the pre-trained weights, the settings or the run folder
            do not fit.
        LostWorkerError: If another process of the run is gone.
    """
    distribution = distribute(config.distribution)
    share = distribution.share_of_batch(config.meta_batch_size)
    episode = config.train_list.episode
    config.model.check_memory(
        episode.way * max(episode.queries_per_class, episode.unlabeled_per_class),
        "an episode of meta-training",
        *("way", "unlabeled_per_class"),
    )
    if distribution.is_chief:
        check_dataset(config.train_list.data_folder)
    train_lists, val_lists = distribution.chief_first(
        lambda: (open_lists(config.train_list), open_lists(config.val_list))
    )
    trainer = build_trainer(config, distribution)
    is_writing = distribution.is_chief
    run = open_run(config.run_folder, config, overwrite=overwrite)
    with run if is_writing else contextlib.nullcontext():
        distribution.wait_for_all()
        folder = pathlib.Path(config.run_folder)
        store = CheckpointStore(folder, trainer.named_variables())
        # The chief sets aside what is damaged.
        steps = range(distribution.chief_first(store.restore_newest), config.loop.num_steps)
        check_same_step(distribution.gather(np.array([steps.start])))
        is_owed = owes_validation(config.loop, steps.start, store.record)
        if not steps and not is_owed:
            return f"Nothing to do: {folder / f'step_{steps.start}.npz'} is there already."
        train_images, val_images = distribution.chief_first(
            lambda: [
                open_images(lists.catalogue, config.model.image_size, config.cache)
                for lists in (train_lists, val_lists)
            ]
        )
        training = MetaTraining(config, trainer, store, val_lists, val_images)
        if is_writing:
            training.begin(steps.start, is_owed=is_owed)
        if steps:
            training.run(train_lists, train_images, steps, share)
        distribution.wait_for_all()
    return f"Meta-trained learner: {folder / f'step_{steps.stop}.npz'}"


def build_trainer(config: MetaTrainConfig, distribution: Distribution | None = None) -> MetaTrainer:
    """Returns a trainer that starts from the pre-trained, or from meta-trained weights."""
    distribution = distribution or distribute(config.distribution)
    keras.utils.set_random_seed(config.seed)  # Initial weights alone draw from it.
    with distribution.scope():
        learner = Learner(config.model, config.train_list.episode.way)
        learner.start_inner_rates(config.adaptation.inner_lr)
        restore_start(learner, config.model, config.pretrained_path, config.finetune_path)
        parts = (learner, config.adaptation, config.optimizer, config.swn_optimizer)
        if distribution.num_replicas == 1:
            return MetaTrainer(*parts, jit_compile=config.jit_compile)
        return DistributedMetaTrainer(distribution, *parts)


def owes_validation(loop: LoopConfig, step: int, record: Mapping[str, float]) -> bool:
    """Returns whether a run was ended after `step` before the validation that was due then."""
    if not (step and loop.validate_every_steps):
        return False
    was_due = is_due(loop.validate_every_steps, step, loop.num_steps)
    return was_due and record.get("validated", step) < step


def validation_indices(turn: int, count: int, length: int) -> list[int]:
    """Returns the `count` episodes of validation `turn`, from 0, in a list of `length`.

    They go on where the last validation ended, and begin again at the end of the list.
    """
    return [index % length for index in range(turn * count, (turn + 1) * count)]


class MetaTraining:
    """Runs the loop with its actions: summaries, validation, checkpoints.

    Attributes:
        validated: The last step with a validation. It is saved with the state: a run that is
            ended between a step and its validation does that first when it goes on.
    """

    def __init__(
        self,
        config: MetaTrainConfig,
        trainer: MetaTrainer,
        store: CheckpointStore,
        val_lists: EpisodeLists,
        val_images: ImageSource,
    ):
        self.config, self.trainer, self.store = config, trainer, store
        self.val_lists, self.val_images = val_lists, val_images
        self.summaries = Summaries(store.folder)
        self.validated = 0

    def begin(self, step: int, *, is_owed: bool) -> None:
        """Goes on after `step` steps, with the validation that it owes."""
        self.summaries.begin(step, self.config, redone="val/" if is_owed else "")
        self.validated = int(self.store.record.get("validated", step))
        if is_owed:
            self.validate(step, {})
            self.save(step, {})

    def run(
        self, train_lists: EpisodeLists, train_images: ImageSource, steps: range, share: range
    ) -> None:
        """Trains on the episodes at the places `share` of each meta-batch.

        Args:
            train_lists: The episodes, taken in order, from the first again after the last.
            train_images: Their images.
            steps: Numbers of the steps from 0.
            share: Places of a meta-batch that this process computes; alone: all of them.
        """
        config, loop = self.config, self.config.loop
        batches = stream_meta_batches(
            train_lists,
            training_arrangement(train_lists.config.episode),
            steps,
            config.meta_batch_size,
            train_images,
            share,
        )
        with Progress(
            "meta-train", steps.stop, start=steps.start, print_every=loop.print_every_steps
        ) as progress:
            actions = self._actions(progress) if config.distribution.is_chief else []
            step_fn = profile(self._step_fn(train_lists, share), loop.profiled, self.store.folder)
            with tell_of_rows():
                run_steps(step_fn, batches, steps, actions, progress, loop.limit_seconds)

    def _actions(self, progress: Progress) -> list[Every]:
        """Returns what is done between steps, by the chief alone."""
        loop = self.config.loop
        actions = [
            Every(loop.summary_every_steps, lambda *args: self.write_scalars(progress, *args))
        ]
        if loop.validate_every_steps:
            actions.append(Every(loop.validate_every_steps, self.validate))
        # Last, so that nothing that belongs to a saved step is still to be done.
        save = Every(
            loop.save_every_steps, self.save, at_stop=True, seconds=loop.save_every_seconds
        )
        return [*actions, save]

    def _step_fn(self, lists: EpisodeLists, share: range) -> Callable[[int, Episode], dict]:
        """Returns what takes a step; where it fails, the chief keeps the episode behind it."""
        size, is_chief = self.config.meta_batch_size, self.config.distribution.is_chief

        def step_fn(step: int, meta_batch: Episode) -> dict[str, float]:
            found = self.trainer.train_step(meta_batch)
            scalars = {name: float(value) for name, value in found.items()}
            if is_chief and not all(map(math.isfinite, scalars.values())):
                members = {
                    index: tf.nest.map_structure(lambda values, n=n: values[n], meta_batch)
                    for n, index in enumerate(meta_batch_indices(step, size, share, len(lists)))
                }
                folder = self.store.folder
                raise keep_failed_step(folder, self.config, self.trainer, lists, step, members)
            return scalars

        return step_fn

    def write_scalars(self, progress: Progress, step: int, scalars: dict[str, float]) -> None:
        """Writes what the step reported, both learning rates, the pace and the wait for data."""
        named = {f"train/{name}": value for name, value in scalars.items()}
        trainer, config = self.trainer, self.config
        named["learning_rate/meta"] = rate_of(trainer.meta_optimizer, config.optimizer)
        named["learning_rate/swn"] = rate_of(trainer.swn_optimizer, config.swn_optimizer)
        named["speed/data_wait_seconds"] = progress.lap_wait()
        pace = progress.lap_pace() * config.meta_batch_size
        self.summaries.write_scalars(step, named | {"speed/episodes_per_second": pace})

    def save(self, step: int, _: dict[str, float]) -> None:
        """Saves the state, and whether its validation is still owed."""
        loop = self.config.loop
        is_kept = is_due(loop.save_every_steps, step, loop.num_steps)
        self.store.save(step, is_kept=is_kept, validated=self.validated)

    def validate(self, step: int, _: dict[str, float]) -> None:
        """Evaluates the learner on the next validation episodes; keeps it if it is the best.

        Nothing is kept of a validation that a signal cuts short: it is owed.
        """
        config, lists, results = self.config, self.val_lists, []
        turn = math.ceil(step / config.loop.validate_every_steps) - 1
        indices = validation_indices(turn, config.num_val_episodes, len(lists))
        for episode in stream_episodes(lists, arrange_for_training, indices, self.val_images):
            if end_signal():
                return
            results.append(self.trainer.validate_step(episode))
        scalars = {
            f"val/{name}": float(np.mean([result[name] for result, _ in results]))
            for name in results[0][0]
        }
        check_finite(step, scalars)
        self.summaries.write_scalars(step, scalars)
        weights = tf.concat([soft_weights for _, soft_weights in results], axis=0)
        self.summaries.write_histogram(step, "val/soft_weights", weights)
        self.store.save_if_best(step, scalars["val/accuracy"])
        self.validated = step
