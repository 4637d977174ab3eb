"""The same steps with the episodes of each meta-batch divided over replicas."""

import tensorflow as tf

from lst_tf2.distribution.strategy import Distribution, gather_rows, tell_of_loss
from lst_tf2.structures import Episode
from lst_tf2.training.gradients import apply_if_finite
from lst_tf2.training.meta_step import MetaTrainer
from lst_tf2.training.optimizers import take_gradients_as_they_are


class DistributedMetaTrainer(MetaTrainer):
    """Takes the steps of `MetaTrainer` on many replicas, to the same bits.

    Every replica gathers the gradients of all episodes in their order and averages them
    as one device does, so the sum does not depend on the number of replicas. The
    gradients are those of scales, shifts, classifier and soft weighting network alone.
    """

    def __init__(self, distribution: Distribution, *args):
        super().__init__(*args)
        for optimizer in (self.meta_optimizer, self.swn_optimizer):
            take_gradients_as_they_are(optimizer)
        self.distribution = distribution
        self._divided_step = tf.function(self._run_step, autograph=False)
        self.train_step = self._checked_step

    def episode_results(self, meta_batch: Episode) -> tuple[dict, list, list]:
        """Returns the results of the episodes of all replicas, given those of this one."""
        results = super().episode_results(meta_batch)
        parts = tf.nest.flatten(results)
        # One message a step in place of one for each variable.
        rows = tf.concat([tf.reshape(part, [part.shape[0], -1]) for part in parts], axis=1)
        gathered = tf.split(
            gather_rows(rows), [part.shape[1:].num_elements() for part in parts], axis=1
        )
        stacked = [
            tf.reshape(rows, [-1, *part.shape[1:]])
            for rows, part in zip(gathered, parts, strict=True)
        ]
        return tf.nest.pack_sequence_as(results, stacked)

    def _run_step(self, shares: Episode) -> dict[str, tf.Tensor]:
        run = self.distribution.strategy.run
        scalars, *gradients = run(self.reported_gradients, args=(shares,))
        scalars = self.distribution.local(scalars)
        # The same on all replicas, hence decided outside of them.
        apply_if_finite(scalars.values(), lambda: run(self.apply, args=tuple(gradients)))
        return scalars

    def _checked_step(self, meta_batch: Episode) -> dict[str, tf.Tensor]:
        with tell_of_loss():
            return self._divided_step(self.distribution.divide(meta_batch))
