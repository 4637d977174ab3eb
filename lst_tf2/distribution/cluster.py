"""The workers of a run as a cluster manager tells them: by TF_CONFIG, or by Slurm."""

import os

import tensorflow as tf

from lst_tf2.errors import InputError

# As TensorFlow counts them: a chief, where there is one, is the first.
JOBS = ("chief", "worker")


def find_workers() -> tuple[tuple[str, ...], int]:
    """Returns `host:port` of all workers, and the place of this process; none outside a cluster.

    Raises:
        InputError: If the environment describes no cluster with this process in it.
    """
    names = [name for name in ("TF_CONFIG", "SLURM_PROCID") if os.environ.get(name)]
    if not names:
        return (), 0
    resolvers = tf.distribute.cluster_resolver
    try:
        resolver = resolvers.TFConfigClusterResolver() if names[0] == "TF_CONFIG" else _slurm()
        spec = resolver.cluster_spec()
        tasks = [
            (job, index) for job in JOBS if job in spec.jobs for index in spec.task_indices(job)
        ]
        place = tasks.index((resolver.task_type, resolver.task_id))
        return tuple(spec.task_address(*task) for task in tasks), place
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise InputError(
            f"Expected a cluster of workers, and this process among them, in {names[0]} and what "
            f"belongs to it, received {os.environ[names[0]]!r} ({error!r}); set it as TensorFlow "
            "documents it, or name the workers."
        ).about("workers", "worker_index") from None


def _slurm() -> tf.distribute.cluster_resolver.ClusterResolver:
    """Returns the resolver for a step of Slurm, which leaves GPUs as Slurm gave them."""
    # Without these it asks for NVIDIA's tools, and divides by the number of GPUs.
    counts = {"gpus_per_node": int(os.environ["SLURM_STEP_NUM_TASKS"]), "gpus_per_task": 1}
    return tf.distribute.cluster_resolver.SlurmClusterResolver(**counts, auto_set_gpu=False)
