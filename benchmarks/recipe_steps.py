"""What each part of the modern recipe brings on CIFAR-FS, in short runs of a narrow network.

    python -m benchmarks.recipe_steps

pre-trains again for each row, with one part taken out or put in, and tests on validation classes.
Rows go to results/cifar_fs/recipe_steps.json one by one; what is there is not run again.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

from lst_tf2.cli.command import Command, run
from lst_tf2.storage.files import write_json

ROOT = pathlib.Path(__file__).parents[1]
FILE = ROOT / "results" / "cifar_fs" / "recipe_steps.json"
TITLE = (
    "Parts of the recipe, in 1,000 steps of a narrow ResNet-12 (24, 48, 96 and 192 filters); 300 "
    "episodes of validation classes, 50 unlabeled images per class"
)
NOTE = (
    "The preset took 13,000 steps of the full network. What keeps a network from learning its "
    "images by heart may gain there what it costs in so short a run; these rows do not show it."
)
DATA = ["--dataset=cifar_fs", f"--data_path={ROOT}"]
SHORT = [
    *("--img_size=32", "--pre_sizes=24,24,32", "--filters=24,48,96,192"),
    *("--pretrain_batch_size=128", "--pretrain_iterations=1000"),
    *("--pre_save_step=500", "--pre_print_step=100"),
]
MODERN = ["--pre_recipe=modern", "--pre_turn=0", "--pre_mixup=0"]
STEPS = {
    "mtl: Adam, images as they are": ["--pre_recipe=mtl"],
    "modern, without turns and mixup": MODERN,
    "... without mirror images, shifts and jitter": [
        *MODERN,
        *("--nopre_flip", "--pre_crop=0", "--pre_jitter=0"),
    ],
    "... without averaged weights": [*MODERN, "--pre_average=0"],
    "... with half of the images turned": [*MODERN, "--pre_turn=0.5"],
    "... with mixup 0.2": [*MODERN, "--pre_mixup=0.2"],
    "... with the episodic loss, weight 0.5": [*MODERN, "--pre_episodic=0.5"],
}
# The first is the nearest class mean: what the backbone gives without a pile.
METHODS = ("spherical_kmeans+steps=0", "spherical_kmeans", "graph_lst")
EVALUATED = [
    *("--split=val", "--episodes=300", "--num_dis=0", "--balances=equal", "--nb_ul_samples=50"),
    f"--methods={','.join(METHODS)}",
]


def run_or_end(*words: str) -> None:
    """Runs `lst`; ends where it fails, as it has told why."""
    command = [sys.executable, "-m", "lst_tf2.cli.main", *words]
    if status := subprocess.run(command, check=False).returncode:
        sys.exit(status)


def evaluate(words: list[str], folder: pathlib.Path) -> list[dict]:
    """Returns method, shot and accuracy of what a recipe gives."""
    run_or_end("pretrain", *DATA, *SHORT, *words, f"--pretrain_w_path={folder}/")
    backbone = f"--backbone={folder / 'cifar_fs'}"
    run_or_end("compare", *DATA, backbone, *EVALUATED, f"--out={folder}")
    rows = json.loads((folder / "compare_cifar_fs.json").read_text())["rows"]
    return [{key: row[key] for key in ("method", "shot", "accuracy")} for row in rows]


def main(*_) -> None:
    """Runs what is missing."""
    found = json.loads(FILE.read_text()) if FILE.exists() else {}
    FILE.parent.mkdir(parents=True, exist_ok=True)
    for name, words in STEPS.items():
        if name not in found:
            with tempfile.TemporaryDirectory() as folder:
                found[name] = {"flags": words, "rows": evaluate(words, pathlib.Path(folder))}
            write_json(FILE, {key: found[key] for key in STEPS if key in found})


if __name__ == "__main__":
    run(Command("python -m benchmarks.recipe_steps", __doc__, main), sys.argv[1:])
