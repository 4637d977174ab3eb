"""What whole runs of the paper would take on a large GPU, from counted operations.

Nearly all operations of a step are in the backbone's convolutions, two for each weight, each place
and each image; a backward pass has them once more for the inputs and once for the kernels. A GPU of
the H100 class does 495e12 a second in TF32 and 989e12 in bfloat16 (dense, data sheet of the SXM5
model). Convolutions reach a part of that: a fifth and a third are told. The steps of gradient
descent on the head are small but follow one another: each is told as `LAUNCHES` kernels of
`LAUNCH_SECONDS`. Reading images is assumed to keep up.
"""

from typing import NamedTuple

from benchmarks.convolutions import convolutions
from lst_tf2.config import AdaptationConfig, ModelConfig, PretrainConfig, SelfTrainingConfig
from lst_tf2.evaluation.tables import markdown_table

PEAKS = {"TF32": 495e12, "bfloat16": 989e12}
SHARES = (1 / 3, 1 / 5)
# Of a step of gradient descent on the head, with its gradient; three times where it is
# differentiated itself.
LAUNCHES, LAUNCH_SECONDS = 20, 10e-6


class Work(NamedTuple):
    """Holds what one iteration, or one episode, computes."""

    count: int  # In a run of the paper.
    forward: int  # Images
    backward: int  # Of them, with gradients
    head_steps: int  # Of gradient descent, one after another


def works() -> dict[str, Work]:
    """Returns the phases of a 1-shot run, by the defaults of the flags."""
    train, test = AdaptationConfig(), SelfTrainingConfig(num_stages=6)
    batch = PretrainConfig("", "").batch_size
    # Two episodes: 5 support, 50 unlabeled and 75 query images each.
    train_steps = 3 * 2 * (train.retrain_steps + train.inner_steps)
    # 100 unlabeled images per class are looked at in windows of 30, by each of six stages.
    test_images = 6 * 5 * test.unlabeled_per_stage + 10
    test_steps = test.num_stages * test.steps_per_stage + test.inner_steps
    return {
        "pre-training": Work(14_000, batch, batch, 0),
        "meta-training": Work(15_000, 2 * (5 + 50 + 75), 2 * 75, train_steps),
        "meta-test": Work(600, test_images, 0, test_steps),
    }


def operations_of(model: ModelConfig, work: Work) -> int:
    """Returns the floating-point operations of the convolutions of one iteration."""
    total = 0
    for conv in convolutions(model):
        one = 2 * conv.side**2 * conv.in_channels * conv.out_channels * conv.window**2
        passes = 1 if conv.is_first else 2  # The image needs no gradient.
        total += one * (work.forward + passes * work.backward)
    return total


def project(model: ModelConfig) -> tuple[str, dict[str, dict[str, float]]]:
    """Returns a table of projected minutes, and its numbers."""
    table = [
        ["of a whole run", "iterations", "TFLOP each", *(f"minutes, {name}" for name in PEAKS)]
    ]
    numbers = {}
    for phase, work in works().items():
        operations = operations_of(model, work)
        head = work.head_steps * LAUNCHES * LAUNCH_SECONDS
        minutes = {
            name: [work.count * (operations / (peak * share) + head) / 60 for share in SHARES]
            for name, peak in PEAKS.items()
        }
        cells = [f"{low:.0f} to {high:.0f}" for low, high in minutes.values()]
        table.append([phase, f"{work.count}", f"{operations / 1e12:.2f}", *cells])
        numbers[phase] = {"operations": operations, "minutes": minutes}
    title = "Projected for one GPU of the H100 class, at a third to a fifth of its peak:"
    return f"{title}\n\n{markdown_table(table)}", numbers
