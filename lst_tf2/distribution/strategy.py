"""Divides episodes over the devices of one machine or of many, on `tf.distribute`."""

import contextlib
import itertools
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from lst_tf2.config import DistributionConfig
from lst_tf2.errors import LostWorkerError, check
from lst_tf2.stopping import ending_at_once

# What TensorFlow raises in a collective operation when another process is gone.
LOSSES = (
    tf.errors.UnavailableError,
    tf.errors.DeadlineExceededError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.FailedPreconditionError,
)


class Distribution:
    """Owns the strategy of a run, and says which episodes this process takes.

    A replica is a device with the whole model; a worker is a process with one or several
    replicas. The chief is the first worker: it alone writes.
    """

    def __init__(self, strategy: tf.distribute.Strategy, config: DistributionConfig):
        self.strategy, self.is_chief = strategy, config.is_chief
        self.num_replicas = strategy.num_replicas_in_sync
        self.num_workers, self.worker_index = max(1, len(config.workers)), config.worker_index
        self.local_replicas = self.num_replicas // self.num_workers
        self._gather_step = tf.function(self._gather_local, reduce_retracing=True)

    def scope(self) -> contextlib.AbstractContextManager:
        """Returns the context in which variables and optimizers must be made."""
        return self.strategy.scope()

    def share_of_batch(self, size: int) -> range:
        """Returns the places in a meta-batch of `size` episodes that this worker takes.

        Raises:
            InputError: If the replicas cannot have equal shares.
        """
        check(
            size % self.num_replicas == 0,
            f"meta_batch_size to be a multiple of the {self.num_replicas} replicas",
            size,
            "change it, or run on fewer devices",
            "meta_batch_size",
        )
        share = size // self.num_workers
        return range(self.worker_index * share, (self.worker_index + 1) * share)

    def share_of_list(self, count: int) -> range:
        """Returns the episodes of a list of `count` that this worker takes: every W-th."""
        check(
            count >= self.num_workers,
            f"at least one episode for each of {self.num_workers} workers",
            count,
            "ask for more episodes or run on fewer workers",
        )
        return range(self.worker_index, count, self.num_workers)

    def divide(self, values: Any) -> Any:
        """Returns the tensors of `values` with their rows divided over the local replicas."""

        def rows_of(context: tf.distribute.experimental.ValueContext) -> Any:
            place = context.replica_id_in_sync_group % self.local_replicas
            return tf.nest.map_structure(
                lambda value: tf.split(value, self.local_replicas)[place], values
            )

        return self.strategy.experimental_distribute_values_from_function(rows_of)

    def local(self, values: Any, place: int = 0) -> Any:
        """Returns what the local replica at `place` holds of `values`."""
        return tf.nest.map_structure(
            lambda value: self.strategy.experimental_local_results(value)[place], values
        )

    def map_episodes(self, run: Callable, episodes: Iterable) -> Iterator:
        """Yields `run(episode)` for each in order, as many at a time as local replicas."""
        if self.local_replicas == 1:
            yield from map(tf.function(run), episodes)
            return

        def run_member(row: Any) -> Any:
            return run(tf.nest.map_structure(lambda value: value[0], row))

        @tf.function
        def run_each(rows: Any) -> list:
            results = self.strategy.run(run_member, args=(rows,))
            return [self.local(results, place) for place in range(self.local_replicas)]

        episodes = iter(episodes)
        while group := list(itertools.islice(episodes, self.local_replicas)):
            filled = group + group[-1:] * (self.local_replicas - len(group))
            rows = tf.nest.map_structure(lambda *fields: tf.stack(fields), *filled)
            yield from run_each(self.divide(rows))[: len(group)]

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Returns the rows of all workers, those of the first worker first.

        Raises:
            LostWorkerError: If another worker is gone.
        """
        if self.num_workers == 1:
            return rows

        def rows_of(context: tf.distribute.experimental.ValueContext) -> tf.Tensor:
            is_first = context.replica_id_in_sync_group % self.local_replicas == 0
            return tf.constant(rows if is_first else rows[:0])

        values = self.strategy.experimental_distribute_values_from_function(rows_of)
        with tell_of_loss():
            return self._gather_step(values).numpy()

    def _gather_local(self, values: Any) -> tf.Tensor:
        return self.local(self.strategy.run(gather_rows, args=(values,)))

    def merge(self, rows: np.ndarray, count: int) -> np.ndarray:
        """Returns the results of all `count` episodes of a list, in its order.

        Args:
            rows: Those of this worker's share of the list.
            count: Length of the list.
        """
        order = [i for w in range(self.num_workers) for i in range(w, count, self.num_workers)]
        return self.gather(rows)[np.argsort(order)]

    def wait_for_all(self) -> None:
        """Returns once every worker has come here."""
        self.gather(np.zeros([1], np.float32))

    def chief_first(self, action: Callable[[], Any]) -> Any:
        """Runs `action` on the chief, then on the others, which find what it wrote."""
        result = action() if self.is_chief else None
        self.wait_for_all()
        return result if self.is_chief else action()


def gather_rows(rows: tf.Tensor) -> tf.Tensor:
    """Returns the rows of all replicas in their order; to be called on a replica."""
    # An argument as it came in has no device by which TensorFlow could tell where to gather.
    return tf.distribute.get_replica_context().all_gather(tf.identity(rows), axis=0)


def check_same_step(steps: np.ndarray) -> None:
    """Raises `InputError` unless `steps`, gathered from all workers, are one and the same."""
    check(
        len(set(steps.tolist())) == 1,
        f"all workers to find the checkpoint of the same step (the chief: {steps[0]})",
        steps.tolist(),
        "let the run's folder lie where all machines see it",
        "logdir_base",
    )


@contextlib.contextmanager
def tell_of_loss() -> Iterator[None]:
    """Turns what TensorFlow raises when another process is gone into `LostWorkerError`."""
    try:
        yield
    except LOSSES as error:
        raise LostWorkerError(
            f"Expected all workers to answer, lost one of them ({type(error).__name__}); start "
            "all again with the same commands, which go on from the newest checkpoint."
        ) from error


def distribute(config: DistributionConfig) -> Distribution:
    """Returns the distribution of a run; comes before any other work of TensorFlow."""
    if config.kind == "none":
        return Distribution(tf.distribute.get_strategy(), config)
    if len(config.workers) <= 1:
        gpus, cpus = (tf.config.list_logical_devices(kind) for kind in ("GPU", "CPU"))
        return Distribution(tf.distribute.MirroredStrategy(gpus or cpus), config)
    return Distribution(_join(config), config)


def _join(config: DistributionConfig) -> tf.distribute.Strategy:
    """Returns the strategy of a multi-worker run, once all workers are there."""
    print(f"Waiting for all of {', '.join(config.workers)}", file=sys.stderr, flush=True)
    cluster = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(config.workers)}),
        task_type="worker",
        task_id=config.worker_index,
        rpc_layer="grpc",
    )
    with ending_at_once():
        return tf.distribute.MultiWorkerMirroredStrategy(cluster)
