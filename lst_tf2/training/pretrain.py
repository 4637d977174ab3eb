"""Pre-training of the backbone on all base classes (arXiv:1812.02391).

The first of three phases: an ordinary classifier of all training classes. Its convolutions are
what meta-training starts from and no longer changes; its head is left behind.
"""

import pathlib

import keras
import tensorflow as tf

from lst_tf2.config import PretrainConfig
from lst_tf2.data.cache import open_images
from lst_tf2.data.layout import scan_split
from lst_tf2.data.leaks import check_dataset
from lst_tf2.data.pipeline import stream_image_batches
from lst_tf2.errors import check
from lst_tf2.models.learner import PretrainModel
from lst_tf2.progress import Progress
from lst_tf2.runs.checkpoints import CheckpointStore, optimizer_variables
from lst_tf2.runs.initial_weights import restore_kernels
from lst_tf2.runs.run_folder import open_run
from lst_tf2.structures import Examples
from lst_tf2.training.augmentation import NUM_TURNS
from lst_tf2.training.average import Average
from lst_tf2.training.gradients import LossScale, apply_if_finite, gradients_of
from lst_tf2.training.loop import Every, is_due, run_steps
from lst_tf2.training.optimizers import build_optimizer, rate_of
from lst_tf2.training.pretrain_losses import PretrainLosses
from lst_tf2.training.profiling import profile
from lst_tf2.training.summaries import Summaries


class Pretrainer:
    """Owns the model, its optimizer and the compiled step.

    Attributes:
        model: Backbone and heads.
        losses: The loss of a batch, by the recipe.
        average: Moving average of the weights, empty where the recipe has none.
        loss_scale: What keeps gradients in the range of float16; None in other precisions.
        train_step: Takes one step, a `tf.function` of `(step, batch, side)`: the step's number
            (int32 scalar), a batch of `Examples` and the side in pixels that it is seen at.
            Returns `loss`, `accuracy` and `gradient_norm`, float32 scalars.
    """

    def __init__(self, config: PretrainConfig):
        """Draws the weights from `config.seed`, or takes those of `config.start_path`.

        Raises:
            InputError: If the file of `config.start_path` is missing or holds another network.
        """
        keras.utils.set_random_seed(config.seed)  # Initial weights alone draw from it.
        self.config = config
        num_turns = NUM_TURNS if config.recipe.turned_share else 0
        self.model = PretrainModel(config.model, config.num_classes, num_turns)
        if config.start_path:
            restore_kernels(self.model.backbone, pathlib.Path(config.start_path))
        self.losses = PretrainLosses(config)
        self.optimizer = build_optimizer(config.optimizer, self.model.learned_variables)
        self.average = Average(self.model.learned_variables, config.recipe.average_decay)
        self.loss_scale = LossScale() if config.model.precision == "float16" else None
        self.train_step = tf.function(self._train_step)

    def named_variables(self) -> dict:
        """Returns the state of the run by names: what later commands read, and the rest."""
        scale = self.loss_scale.named_variables() if self.loss_scale else {}
        state = optimizer_variables("optimizer", self.optimizer)
        return self.average.named_variables(self.model.named_variables()) | state | scale

    def _train_step(self, step: tf.Tensor, batch: Examples, side: int) -> dict[str, tf.Tensor]:
        with tf.GradientTape() as tape:
            loss, accuracy = self.losses(self.model, batch, step, side)
        variables = self.model.learned_variables
        scale = self.loss_scale.scale if self.loss_scale else None
        gradients = gradients_of(tape, loss, variables, scale)
        norm = tf.linalg.global_norm(gradients)
        gradients = self._with_decay(gradients)

        def apply() -> None:
            self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
            self.average.update(step)

        if self.loss_scale:
            norm = tf.where(self.loss_scale.apply_if_finite(gradients, apply), norm, 0.0)
        else:  # A step that fails leaves the weights as they were.
            apply_if_finite([loss, norm], apply)
        return {"loss": loss, "accuracy": accuracy, "gradient_norm": norm}

    def _with_decay(self, gradients: list[tf.Tensor]) -> list[tf.Tensor]:
        decay = self.config.optimizer.weight_decay
        if not decay:
            return gradients
        decayed = {id(variable) for variable in self.model.decayed_variables}
        return [
            gradient + decay * variable if id(variable) in decayed else gradient
            for gradient, variable in zip(gradients, self.model.learned_variables, strict=True)
        ]


def pretrain(config: PretrainConfig, *, overwrite: bool = False) -> str:
    """Pre-trains a backbone into `config.run_folder`, going on where it stopped.

    Args:
        config: What to train, on what, and where to.
        overwrite: Whether a run with other settings in that folder is replaced.

    Returns:
        What was written, a sentence.

    Raises:
        InputError: If the data, the settings or the run folder do not fit.
    """
    config.model.check_memory(config.batch_size, "a batch of pre-training", "batch_size")
    check_dataset(config.data_folder)
    catalogue = scan_split(config.data_folder, "train")
    check(
        len(catalogue.classes) == config.num_classes,
        f"pretrain_class_num={len(catalogue.classes)}, the classes in {catalogue.folder}",
        config.num_classes,
        "pass that number",
    )
    with open_run(config.run_folder, config, overwrite=overwrite) as folder:
        trainer = Pretrainer(config)
        store = CheckpointStore(folder, trainer.named_variables())
        steps = range(store.restore_newest(), config.loop.num_steps)
        if not steps:
            return f"Nothing to do: {folder / f'step_{steps.start}.npz'} is there already."
        _run(trainer, catalogue, store, steps)
    return f"Pre-trained backbone: {folder / f'step_{steps.stop}.npz'}"


def _run(trainer: Pretrainer, catalogue, store: CheckpointStore, steps: range) -> None:
    config, loop = trainer.config, trainer.config.loop
    summaries = Summaries(store.folder)
    summaries.begin(steps.start, config)

    def write_scalars(step: int, scalars: dict[str, float]) -> None:
        named = {f"pretrain/{name}": value for name, value in scalars.items()}
        named["learning_rate/pretrain"] = rate_of(trainer.optimizer, config.optimizer)
        named["speed/data_wait_seconds"] = progress.lap_wait()
        summaries.write_scalars(step, named)

    def save(step: int, _: dict[str, float]) -> None:
        store.save(step, is_kept=is_due(loop.save_every_steps, step, steps.stop))

    actions = [
        Every(loop.summary_every_steps, write_scalars),
        Every(loop.save_every_steps, save, at_stop=True, seconds=loop.save_every_seconds),
    ]
    images = open_images(catalogue, config.model.image_size, config.cache)
    batches = stream_image_batches(catalogue, steps, config.batch_size, images, config.seed)
    with Progress(
        "pre-train", steps.stop, start=steps.start, print_every=loop.print_every_steps
    ) as progress:

        def step_fn(step: int, batch: Examples) -> dict[str, tf.Tensor]:
            side = config.recipe.size_at(step, loop.num_steps, config.model.image_size)
            return trainer.train_step(tf.constant(step), batch, side)

        profiled = profile(step_fn, loop.profiled, store.folder)
        run_steps(profiled, batches, steps, actions, progress, loop.limit_seconds)
