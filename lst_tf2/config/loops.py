"""Settings of training loops: their length, their optimizer, their devices."""

import dataclasses

from lst_tf2.config.headings import OPTIMIZATION, RUNNING
from lst_tf2.errors import check
from lst_tf2.settings import Settings, setting

DISTRIBUTIONS = ("none", "mirrored", "multi_worker")


@dataclasses.dataclass(frozen=True)
class OptimizerConfig(Settings, group=OPTIMIZATION):
    """Describes an optimizer whose rate is halved every `halve_every_steps`.

    `name` is that of a Keras optimizer, or of a registered one, or one around another:
    `Addons>Lookahead(Adam)`.
    """

    initial_lr: float = setting(1e-3, "Learning rate at the start.", at_least=0)
    min_lr: float = setting(1e-4, "Floor of the learning rate.", at_least=0)
    halve_every_steps: int = setting(1000, "Iterations between halvings.", at_least=1)
    name: str = setting("Adam", "Optimizer: any of Keras, or a registered one.")


@dataclasses.dataclass(frozen=True)
class LoopConfig(Settings, group=RUNNING):
    """Describes a training loop: its length and how often it reports, in steps."""

    num_steps: int = setting(15000, "Iterations.", at_least=1)
    print_every_steps: int = setting(
        100, "Iterations between log lines (where stderr is no terminal).", at_least=1
    )
    summary_every_steps: int = setting(10, "Iterations between TensorBoard scalars.", at_least=1)
    save_every_steps: int = setting(1000, "Iterations between checkpoints.", at_least=1)
    validate_every_steps: int = setting(0, "Iterations between validations; 0: none.", at_least=0)
    profile_steps: tuple[int, ...] = setting(
        (0, 0),
        "First and last iteration to profile for TensorBoard, e.g. 10,12 (look with "
        "tensorboard-plugin-profile); 0,0: none.",
        flag="profile_steps",
    )

    def check(self) -> None:
        """Raises `InputError` unless the steps to profile are a range, or none."""
        steps = self.profile_steps
        check(
            len(steps) == 2 and (steps == (0, 0) or 1 <= steps[0] <= steps[1]),
            "profile_steps as first,last, counted from 1",
            ",".join(map(str, steps)),
            "name them as 10,12",
            "profile_steps",
        )

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
    """

    kind: str = setting(
        "none",
        "Divide the episodes over devices: `none`; `mirrored`, all GPUs of this machine; "
        "`multi_worker`, one process a machine (docs/scaling.md). The numbers stay the same; the "
        "meta-batch must be a multiple of the number of devices.",
        flag="distribution",
        choices=DISTRIBUTIONS,
    )
    workers: tuple[str, ...] = setting(
        (),
        "With multi_worker: host:port of every process, comma-separated, the same list "
        "everywhere; the first writes. If not given, TF_CONFIG is read.",
        flag="workers",
    )
    worker_index: int = setting(
        0, "With workers: the place of this process in that list, from 0.", flag="worker_index"
    )
    wait_seconds: float = setting(
        600.0,
        "With multi_worker: seconds to wait for the other workers at the start and after one was "
        "lost.",
        flag="worker_wait",
        at_least=0,
    )

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
            len(set(self.workers)) == len(self.workers) > 0,
            "workers as host:port,host:port, all different, or TF_CONFIG in the environment",
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
