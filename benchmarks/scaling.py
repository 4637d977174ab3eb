"""Times meta-train steps of one worker and of two, each on one core of its own.

Both take the same meta-batch of two episodes, so twice the workers are at best twice as fast.
They run in turn, several rounds of each, so that the ratio holds when the machine's pace drifts.

    python -m benchmarks.scaling                 # glyph size
    python -m benchmarks.scaling --size=paper    # 84x84, 64-128-256-512: some minutes a step
"""

import dataclasses
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from absl import flags

from benchmarks.timing import processor
from lst_tf2.cli.command import Command, run
from lst_tf2.cli.flag_rows import build_from
from lst_tf2.settings import Settings, setting

ROUNDS, STEPS, WARM_UP, EPISODES = 3, 30, 2, 2


@dataclasses.dataclass(frozen=True)
class ScalingFlags(Settings, group="What to measure"):
    """Holds the size of the step.

    Attributes:
        size: Size of images and backbone: glyphs or paper.
    """

    size: str = setting("glyphs", flag="size", choices=("glyphs", "paper"))


def main(values: flags.FlagValues, _: Sequence[str]) -> None:
    """Prints a table and writes it as JSON beside this file."""
    size = build_from(ScalingFlags, values).size
    rounds = [{workers: time_run(size, workers) for workers in (1, 2)} for _ in range(ROUNDS)]
    ratios = [r[1]["step"] / r[2]["step"] / 2 for r in rounds]
    fastest = {workers: min(r[workers]["fastest"] for r in rounds) for workers in (1, 2)}
    results = {
        "seconds_1_worker": statistics.median(r[1]["step"] for r in rounds),
        "seconds_2_workers": statistics.median(r[2]["step"] for r in rounds),
        "efficiency": statistics.median(ratios),
        "efficiency_of_rounds": ratios,
        # Less disturbed by whatever else runs on the machine.
        "fastest_1_worker": fastest[1],
        "fastest_2_workers": fastest[2],
        "efficiency_of_fastest": fastest[1] / fastest[2] / 2,
        "seconds_gather": statistics.median(r[2]["gather"] for r in rounds),
        "megabytes_an_episode": rounds[0][2]["megabytes"],
        "load_average": os.getloadavg()[0],
    }
    print(f"{size} size, {processor()}")
    print(f"{EPISODES} episodes a step, {ROUNDS} rounds of {STEPS} steps, one core a worker")
    for name, value in results.items():
        print(f"{name:22}{json.dumps(value)}")
    path = pathlib.Path(__file__).with_name(f"scaling_{size}.json")
    path.write_text(json.dumps(results, indent=2) + "\n")
    print(f"Written: {path}")


def time_run(size: str, workers: int) -> dict[str, float]:
    """Returns what the chief of a run in processes of its own measured."""
    addresses = ",".join(free_address() for _ in range(workers))
    command = [sys.executable, "-m", "benchmarks.scaling", "--worker", size, addresses]
    processes = [
        subprocess.Popen([*command, str(index)], stdout=subprocess.PIPE, text=True)
        for index in range(workers)
    ]
    texts = [process.communicate()[0] for process in processes]
    if any(process.returncode for process in processes):
        raise RuntimeError(f"Expected {workers} workers to end well, see their messages above.")
    return json.loads(texts[0].splitlines()[-1])


def free_address() -> str:
    """Returns a loopback address with a port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


def run_worker(size: str, addresses: str, index: int) -> None:
    """Takes the steps on one core and prints the times of one as JSON."""
    os.sched_setaffinity(0, [sorted(os.sched_getaffinity(0))[index]])
    # TensorFlow counts the cores that it may use when it is imported.
    import numpy as np
    import tensorflow as tf

    from benchmarks.meta_step import random_episode
    from benchmarks.suite import SIZES
    from lst_tf2.config import DistributionConfig, EpisodeConfig
    from lst_tf2.distribution.strategy import distribute

    distribution = distribute(
        DistributionConfig("multi_worker", tuple(addresses.split(",")), index)
    )
    model = SIZES[size]
    trainer = small_trainer(distribution, model)
    count, episode = (
        len(distribution.share_of_batch(EPISODES)),
        random_episode(model, EpisodeConfig()),
    )
    batch = tf.nest.map_structure(lambda field: tf.stack([field] * count), episode)
    variables = trainer.learner.meta_variables + trainer.learner.swn_variables
    row = np.zeros([1, sum(np.prod(v.shape, dtype=int) for v in variables)], np.float32)
    steps = time_calls(lambda: float(trainer.train_step(batch)["accuracy"]))
    gathers = time_calls(lambda: distribution.gather(row))
    distribution.wait_for_all()
    figures = {"step": statistics.median(steps), "fastest": min(steps)}
    figures |= {"gather": statistics.median(gathers), "megabytes": row.nbytes / 1e6}
    print(json.dumps(figures))


def small_trainer(distribution, model):
    """Returns the trainer that meta-training would use."""
    from lst_tf2.config import AdaptationConfig, OptimizerConfig
    from lst_tf2.models.learner import Learner
    from lst_tf2.training.distributed_step import DistributedMetaTrainer
    from lst_tf2.training.meta_step import MetaTrainer

    with distribution.scope():
        optimizer = OptimizerConfig()
        parts = (Learner(model, way=5), AdaptationConfig(), optimizer, optimizer)
        if distribution.num_replicas == 1:
            return MetaTrainer(*parts)
        return DistributedMetaTrainer(distribution, *parts)


def time_calls(call: Callable) -> list[float]:
    """Returns the seconds of each call, after a warm-up that traces."""
    seconds = []
    for _ in range(WARM_UP + STEPS):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return seconds[WARM_UP:]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        run_worker(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        NAME = "python -m benchmarks.scaling"
        run(Command(NAME, __doc__, main, (ScalingFlags,)), sys.argv[1:])
