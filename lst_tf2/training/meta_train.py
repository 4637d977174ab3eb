"""Meta-training of scaling, shifting, initial classifier and soft weighting network."""

import math
import pathlib
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from lst_tf2.adaptation.stages import tell_of_rows
from lst_tf2.config import MetaTrainConfig
from lst_tf2.data.cache import open_images
from lst_tf2.data.feeding_order import arrange_for_training, training_arrangement
from lst_tf2.data.images import ImageSource
from lst_tf2.data.lists import EpisodeLists, open_lists
from lst_tf2.data.pipeline import stream_episodes, stream_meta_batches
from lst_tf2.distribution.strategy import Distribution, distribute
from lst_tf2.models.learner import Learner
from lst_tf2.progress import Progress
from lst_tf2.runs.checkpoints import CheckpointStore
from lst_tf2.runs.initial_weights import restore_start
from lst_tf2.runs.run_folder import claim
from lst_tf2.training.distributed_step import DistributedMetaTrainer
from lst_tf2.training.loop import Every, check_finite, run_steps
from lst_tf2.training.meta_step import MetaTrainer
from lst_tf2.training.optimizers import rate_of
from lst_tf2.training.profiling import profile
from lst_tf2.training.summaries import Summaries


def meta_train(config: MetaTrainConfig, *, overwrite: bool = False) -> str:
    """Meta-trains into `config.run_folder`, going on where it stopped.

    Returns:
        What was written, a sentence.

    Raises:
        InputError: If the data, the pre-trained weights, the settings or the run folder
            do not fit.
        LostWorkerError: If another process of the run is gone.
    """
    distribution = distribute(config.distribution)
    share = distribution.share_of_batch(config.meta_batch_size)
    train_lists, val_lists = distribution.chief_first(
        lambda: (open_lists(config.train_list), open_lists(config.val_list))
    )
    trainer = build_trainer(config, distribution)
    if distribution.is_chief:
        claim(config.run_folder, config, overwrite=overwrite)
    distribution.wait_for_all()
    folder = pathlib.Path(config.run_folder)
    store = CheckpointStore(folder, trainer.named_variables())
    steps = range(store.restore_newest(), config.loop.num_steps)
    distribution.check_same_step(steps.start)
    if not steps:
        return f"Nothing to do: {folder / f'step_{steps.start}.npz'} is there already."
    train_images, val_images = distribution.chief_first(
        lambda: [
            open_images(lists.catalogue, config.model.image_size, config.cache)
            for lists in (train_lists, val_lists)
        ]
    )
    training = MetaTraining(config, trainer, store, val_lists, val_images)
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


class MetaTraining:
    """Runs the loop with its actions: summaries, validation, checkpoints."""

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

    def run(
        self, train_lists: EpisodeLists, train_images: ImageSource, steps: range, share: range
    ) -> None:
        """Trains for `steps` on the episodes at the places `share` of each meta-batch."""
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
            step_fn = profile(self._step, loop.profiled, self.store.folder)
            with tell_of_rows():
                run_steps(step_fn, batches, steps, actions, progress)

    def _actions(self, progress: Progress) -> list[Every]:
        """Returns what is done between steps, by the chief alone."""
        loop = self.config.loop
        self.summaries.write_settings(self.config)
        actions = [
            Every(loop.summary_every_steps, lambda *args: self.write_scalars(progress, *args)),
            Every(loop.save_every_steps, lambda step, _: self.store.save(step)),
        ]
        if loop.validate_every_steps:
            actions.append(Every(loop.validate_every_steps, self.validate))
        return actions

    def _step(self, step: int, meta_batch) -> dict[str, tf.Tensor]:
        return self.trainer.train_step(meta_batch)

    def write_scalars(self, progress: Progress, step: int, scalars: dict[str, float]) -> None:
        """Writes what the step reported, both learning rates, the pace and the wait for data."""
        named = {f"train/{name}": value for name, value in scalars.items()}
        trainer, config = self.trainer, self.config
        named["learning_rate/meta"] = rate_of(trainer.meta_optimizer, config.optimizer)
        named["learning_rate/swn"] = rate_of(trainer.swn_optimizer, config.swn_optimizer)
        named["speed/data_wait_seconds"] = progress.lap_wait()
        pace = progress.lap_pace() * config.meta_batch_size
        self.summaries.write_scalars(step, named | {"speed/episodes_per_second": pace})

    def validate(self, step: int, _: dict[str, float]) -> None:
        """Judges the learner on the next validation episodes; keeps it if it is the best."""
        results = [self.trainer.validate_step(episode) for episode in self._val_episodes(step)]
        scalars = {
            f"val/{name}": float(np.mean([result[name] for result, _ in results]))
            for name in results[0][0]
        }
        check_finite(step, scalars)
        self.summaries.write_scalars(step, scalars)
        weights = tf.concat([soft_weights for _, soft_weights in results], axis=0)
        self.summaries.write_histogram(step, "val/soft_weights", weights)
        self.store.save_if_best(step, scalars["val/accuracy"])

    def _val_episodes(self, step: int) -> Iterator:
        """Returns the episodes of the list in order, beginning anew where it ends."""
        count = self.config.num_val_episodes
        turn = math.ceil(step / self.config.loop.validate_every_steps) - 1
        indices = [i % len(self.val_lists) for i in range(turn * count, (turn + 1) * count)]
        return stream_episodes(self.val_lists, arrange_for_training, indices, self.val_images)
