"""Settings of training loops: their length, their optimizer, their devices."""

import dataclasses
import math
import re

from lst_tf2.config.headings import OPTIMIZATION, RUNNING
from lst_tf2.errors import check
from lst_tf2.settings import Settings, setting

# Seconds in what a time may be given in.
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
DISTRIBUTIONS = ("none", "mirrored", "multi_worker")


@dataclasses.dataclass(frozen=True)
class OptimizerConfig(Settings, group=OPTIMIZATION):
    """Describes an optimizer whose rate is halved every `halve_every_steps`, or falls.

    `name` is that of a Keras optimizer, or of a registered one, or one around another:
    `Addons>Lookahead(Adam)`. With `falling_steps` the rate rises to `initial_lr` over the first
    `warmup_share` of them and then falls to 0 as half a cosine.

    Attributes:
        initial_lr: Learning rate at the start.
        min_lr: Floor of the learning rate.
        halve_every_steps: Iterations between halvings.
        name: Optimizer: any of Keras, or a registered one.
        momentum: Nesterov momentum of SGD.
        weight_decay: Share of the kernels added to gradients.
        warmup_share: Share of warm-up.
    """

    initial_lr: float = setting(0.001, at_least=0)
    min_lr: float = setting(0.0001, at_least=0)
    halve_every_steps: int = setting(1000, at_least=1)
    name: str = setting("Adam")
    momentum: float = setting(0.0, at_least=0, at_most=0.999)
    weight_decay: float = setting(0.0, at_least=0)
    falling_steps: int = setting(0, at_least=0)
    warmup_share: float = setting(0.0, at_least=0, at_most=1)


@dataclasses.dataclass(frozen=True)
class LoopConfig(Settings, group=RUNNING):
    """Describes a training loop: its length and how often it reports, in steps.

    Attributes:
        num_steps: Iterations.
        print_every_steps: Iterations between log lines (where stderr is no terminal).
        summary_every_steps: Iterations between TensorBoard scalars.
        save_every_steps: Iterations between checkpoints.
        validate_every_steps: Iterations between validations; 0: none.
        profile_steps: First and last iteration to profile for TensorBoard, e.g. 10,12 (look with
            tensorboard-plugin-profile); 0,0: none.
        save_minutes: Minutes between checkpoints beside those: each is removed when the next is
            written; 0: none.
        time_limit: Save and end after so long, e.g. 90s, 150m or 2h, with exit status 124; the same
            command goes on from there.
    """

    num_steps: int = setting(15000, at_least=1)
    print_every_steps: int = setting(100, at_least=1)
    summary_every_steps: int = setting(10, at_least=1)
    save_every_steps: int = setting(1000, at_least=1)
    validate_every_steps: int = setting(0, at_least=0)
    profile_steps: tuple[int, ...] = setting((0, 0), flag="profile_steps")
    save_minutes: float = setting(5.0, flag="save_minutes", at_least=0)
    time_limit: str = setting("", flag="time_limit")

    def check(self) -> None:
        """Raises `InputError` for a time that is none, and for steps that are no range."""
        check(
            not self.time_limit or re.fullmatch(rf"\d+(\.\d+)?[{''.join(UNITS)}]", self.time_limit),
            "time_limit as a number with its unit: s, m, h or d",
            repr(self.time_limit),
            "name it as 150m",
            "time_limit",
        )
        steps = self.profile_steps
        check(
            len(steps) == 2 and (steps == (0, 0) or 1 <= steps[0] <= steps[1]),
            "profile_steps as first,last, counted from 1",
            ",".join(map(str, steps)),
            "name them as 10,12",
            "profile_steps",
        )

    @property
    def limit_seconds(self) -> float:
        """Seconds after which the run ends; infinite without a limit."""
        return (
            float(self.time_limit[:-1]) * UNITS[self.time_limit[-1]]
            if self.time_limit
            else math.inf
        )

    @property
    def save_every_seconds(self) -> float:
        """Seconds between checkpoints beside those by steps."""
        return self.save_minutes * 60 or math.inf

    @property
    def profiled(self) -> range:
        """Steps to profile, from 0 as the loop counts them."""
        first, last = self.profile_steps
        return range(first - 1, last) if last else range(0)


@dataclasses.dataclass(frozen=True)
class DistributionConfig(Settings, group=RUNNING):
    """Describes over which devices and machines the episodes are divided.

    `workers` are the addresses `host:port` of all processes of a `multi_worker` run, this
    one's at `worker_index`; the first is the chief, which alone writes.

    Attributes:
        kind: Divide the episodes over devices: `none`; `mirrored`, all GPUs of this machine;
            `multi_worker`, one process a machine (docs/scaling.md). The numbers stay the same; the
            meta-batch must be a multiple of the number of devices.
        workers: With multi_worker: host:port of every process, comma-separated, the same list
            everywhere; the first writes. If not given, TF_CONFIG or Slurm tells them.
        worker_index: With workers: the place of this process in that list, from 0.
    """

    kind: str = setting("none", flag="distribution", choices=DISTRIBUTIONS)
    workers: tuple[str, ...] = setting((), flag="workers")
    worker_index: int = setting(0, flag="worker_index")

    def check(self) -> None:
        """Raises `InputError` unless the workers are those of a `multi_worker` run."""
        if self.kind != "multi_worker":
            check(
                not self.workers,
                f"no workers with {self.kind}",
                list(self.workers),
                "ask for multi_worker, or leave the workers out",
                *("kind", "workers"),
            )
            return
        check(
            len(set(self.workers)) == len(self.workers) > 0
            and all(re.fullmatch(r"\S+:\d+", worker) for worker in self.workers),
            "workers as host:port,host:port, all different, or in the environment as TF_CONFIG or "
            "by Slurm",
            list(self.workers),
            "name every process of the run, in the same order everywhere",
            "workers",
        )
        check(
            0 <= self.worker_index < len(self.workers),
            f"worker_index of 0 to {len(self.workers) - 1}, the place of this process among the "
            "workers",
            self.worker_index,
            "give each process its own",
            "worker_index",
        )

    @property
    def is_chief(self) -> bool:
        """Whether this process writes checkpoints, summaries and results."""
        return self.worker_index == 0
