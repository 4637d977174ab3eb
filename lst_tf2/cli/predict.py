"""Labels your own images, from a few that are labeled and a pile that is not.

    lst predict --support=photos/labeled --unlabeled=photos/rest

learns the classes that have a folder in --support (one image is enough, five are better), and
writes predictions.csv: path, label, confidence, second_label, second_confidence, status. The status
is `ok`; `abstained`, less sure than --abstain; `rejected`, more likely of none of the classes (the
label is empty then); or `unreadable`. The unlabeled images may be of other classes too. Without a
pile it learns from the labeled images alone:

    lst predict --support=photos/labeled --query=photos/new
    lst predict --support=photos/labeled photos/new/*.jpg

With --save it can be used again: lst predict --classifier=<folder> --query=photos/newer. For
photographs name a network that knows some: --backbone=cifar_fs, or one of keras.applications, as
--backbone=keras:EfficientNetV2B0. To try it without images of your own: lst letters.
"""

from collections.abc import Sequence

from absl import flags

from lst_tf2.cli.command import Command
from lst_tf2.cli.flag_rows import given_values, rows_of
from lst_tf2.cli.tensorflow_run import take_memory_as_needed, tensorflow_run
from lst_tf2.config import PredictConfig
from lst_tf2.predict.folders import check_places
from lst_tf2.settings import build

MEMORY_REMEDY = "lower --max_pile or --img_size"
MOST_FAULTS = 10


def run_predict(values: flags.FlagValues, words: Sequence[str]) -> None:
    """Predicts, `words` among the queries, and tells what was found and written."""
    given = given_values(rows_of(PredictConfig), values)
    config = build(PredictConfig, given | {"query": (*given["query"], *words)})
    with tensorflow_run(values, MEMORY_REMEDY):
        check_places(config)
        take_memory_as_needed()
        from lst_tf2.predict.job import predict

        print("\n".join(tell(config, predict(config))))


def tell(config: PredictConfig, outcome) -> list[str]:
    """Returns lines about an `Outcome`."""
    learned, counts, estimate, written = outcome
    lines = []
    if not config.classifier:
        classes = len(learned.classifier.classes_)
        lines.append(
            f"Learned {classes} classes from {len(learned.support)} labeled and "
            f"{len(learned.pile)} unlabeled images."
        )
    lines += [f"Left out: {fault}" for fault in list(learned.faults.values())[:MOST_FAULTS]]
    lines.append(f"Estimated accuracy: {estimate.describe()}")
    lines.append(
        f"Labeled: {counts['ok']}; abstained (confidence below --abstain={config.abstain:g}): "
        f"{counts['abstained']}; of none of the classes: {counts['rejected']}; unreadable: "
        f"{counts['unreadable']}"
    )
    lines.append("Wrote " + ", ".join(map(str, written)))
    return [*lines, f"Next: {next_step(config, written)}"]


def next_step(config: PredictConfig, written: Sequence) -> str:
    """Returns what to do after a prediction."""
    if config.report:
        return f"open {config.report}"
    if config.top:
        return f"copy images from {written[-1]} into folders of {config.support}, and run again"
    if not config.unlabeled and config.support:
        return "add --unlabeled=<folder>: images without labels make it better"
    return f"open {config.out}, or add --report=report.html for a page to look at"


PREDICT = Command(
    "lst predict", __doc__, run_predict, (PredictConfig,), words="[image or folder ...]"
)
