"""Pre-training of the backbone on all base classes (arXiv:1812.02391)."""

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
from lst_tf2.runs.run_folder import claimed
from lst_tf2.structures import Examples
from lst_tf2.training.gradients import LossScale, apply_if_finite, gradients_of
from lst_tf2.training.loop import Every, run_steps
from lst_tf2.training.optimizers import build_optimizer, rate_of
from lst_tf2.training.profiling import profile
from lst_tf2.training.summaries import Summaries


class Pretrainer:
    """Owns the model, its optimizer and the compiled step."""

    def __init__(self, config: PretrainConfig):
        keras.utils.set_random_seed(config.seed)  # Initial weights alone draw from it.
        self.config = config
        self.model = PretrainModel(config.model, config.num_classes)
        self.optimizer = build_optimizer(config.optimizer, self.model.learned_variables)
        self.loss_scale = LossScale() if config.model.precision == "float16" else None
        self.train_step = tf.function(self._train_step)

    def named_variables(self) -> dict:
        """Returns the state of the run by names."""
        scale = self.loss_scale.named_variables() if self.loss_scale else {}
        state = optimizer_variables("optimizer", self.optimizer)
        return self.model.named_variables() | state | scale

    def _train_step(self, step: tf.Tensor, batch: Examples) -> dict[str, tf.Tensor]:
        # Blocks add their number to the second half, hence the distance.
        seed = tf.stack([self.config.seed, step * len(self.config.model.filters)])
        with tf.GradientTape() as tape:
            logits = self.model(
                batch.inputs, keep_probability=self.config.keep_probability, seed=seed
            )
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(batch.labels, logits)
            )
        variables = self.model.learned_variables
        scale = self.loss_scale.scale if self.loss_scale else None
        gradients = gradients_of(tape, loss, variables, scale)

        def apply() -> None:
            self.optimizer.apply_gradients(zip(gradients, variables, strict=True))

        norm = tf.linalg.global_norm(gradients)
        if self.loss_scale:
            norm = tf.where(self.loss_scale.apply_if_finite(gradients, apply), norm, 0.0)
        else:  # A step that fails leaves the weights as they were.
            apply_if_finite([loss, norm], apply)
        hits = tf.argmax(logits, axis=-1, output_type=tf.int32) == batch.labels
        return {
            "loss": loss,
            "accuracy": tf.reduce_mean(tf.cast(hits, tf.float32)),
            "gradient_norm": norm,
        }


def pretrain(config: PretrainConfig, *, overwrite: bool = False) -> str:
    """Pre-trains a backbone into `config.run_folder`, going on where it stopped.

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
    with claimed(config.run_folder, config, overwrite=overwrite) as folder:
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

    actions = [
        Every(loop.summary_every_steps, write_scalars),
        Every(loop.save_every_steps, lambda step, _: store.save(step), at_stop=True),
    ]
    images = open_images(catalogue, config.model.image_size, config.cache)
    batches = stream_image_batches(catalogue, steps, config.batch_size, images, config.seed)
    with Progress(
        "pre-train", steps.stop, start=steps.start, print_every=loop.print_every_steps
    ) as progress:

        def step_fn(step: int, batch: Examples) -> dict[str, tf.Tensor]:
            return trainer.train_step(tf.constant(step), batch)

        profiled = profile(step_fn, loop.profiled, store.folder)
        run_steps(profiled, batches, steps, actions, progress)
