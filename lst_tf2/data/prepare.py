"""Lays public and private images out as a data set.

`python -m lst_tf2.data.prepare {cifar_fs,folder} --source=DIR --out=data/<name>` writes
`<out>/{labeled,unlabeled}_{train,val,test}/<class>/<iiiii>_<source name>.png` and a record of
how it did so, whole or not at all. The same source and seed give the same images. It never
downloads.
"""

import pathlib

from absl import app, flags

from lst_tf2.command_help import show_on_help
from lst_tf2.data.checksums import RECORD_NAME
from lst_tf2.data.dataset_writer import Recipe, Report
from lst_tf2.data.layout import POOLS
from lst_tf2.data.preparation import CIFAR_IMAGE_SIZE, prepare_cifar_fs, prepare_folder
from lst_tf2.errors import InputError, exit_on_input_error

KINDS = ("cifar_fs", "folder")


def summary_lines(report: Report, image_size: int, max_shown: int = 20) -> list[str]:
    """Returns what the command prints: what was skipped, what was written, what to run next."""
    lines = [f"Skipped {len(report.skipped)} files:"] if report.skipped else []
    lines += [f"  {name!r}: {reason}" for name, reason in report.skipped[:max_shown]]
    if len(report.skipped) > max_shown:
        lines.append(f"  and {len(report.skipped) - max_shown} more, all named in {RECORD_NAME}")
    for split, count in report.num_classes.items():
        labeled, unlabeled = (report.num_images[f"{pool}_{split}"] for pool in POOLS)
        lines.append(f"{split}: {count} classes, {labeled} labeled, {unlabeled} unlabeled images")
    lines.append(f"Wrote {sum(report.num_images.values())} images in {report.folder}")
    root, name = report.folder.parent, report.folder.name
    where = f" --data_path={root.parent}" if root != pathlib.Path("data").resolve() else ""
    if root.name == "data":
        lines.append(
            f"Next: python train.py --phase=pre --dataset={name}{where} "
            f"--img_size={image_size} --pretrain_class_num={report.num_classes['train']}"
        )
    else:
        lines.append("Next: move it into a folder named data, where train.py --dataset looks.")
    return lines


def main() -> None:
    """Runs the command `python -m lst_tf2.data.prepare`."""
    flags.DEFINE_string("source", "", "Folder to read.")
    flags.DEFINE_string("out", "", "Folder of the data set; data/<kind> by default.")
    flags.DEFINE_integer("seed", 0, "The same seed draws the same splits and pools.")
    flags.DEFINE_float("unlabeled_fraction", 0.5, "Unlabeled share of the images of each class.")
    flags.DEFINE_list(
        "split", "0.64,0.16,0.2", "folder: shares of the classes for train, val and test."
    )
    flags.DEFINE_integer("img_size", 84, "folder: side of an image in pixels; cifar_fs has 32.")
    show_on_help(("source", "out", "seed", "unlabeled_fraction", "split", "img_size"), __doc__)
    app.run(run_command)


def run_command(arguments: list[str]) -> None:
    """Prepares what the arguments and flags say and tells what to run next."""
    if len(arguments) != 2 or arguments[1] not in KINDS:
        raise app.UsageError(f"Expected one of {', '.join(KINDS)}, received {arguments[1:]}.")
    with exit_on_input_error():
        is_folder = arguments[1] == "folder"
        report = (_run_folder if is_folder else _run_cifar_fs)(flags.FLAGS)
        image_size = flags.FLAGS.img_size if is_folder else CIFAR_IMAGE_SIZE
        print("\n".join(summary_lines(report, image_size)))


def _run_folder(values: flags.FlagValues) -> Report:
    try:
        shares = [float(share) for share in values.split]
    except ValueError:
        raise InputError(
            f"Expected numbers for --split, received {','.join(values.split)}; "
            "pass for example --split=0.64,0.16,0.2."
        ) from None
    recipe = Recipe(values.img_size, values.unlabeled_fraction, values.seed)
    return prepare_folder(values.source, values.out or "data/folder", shares=shares, recipe=recipe)


def _run_cifar_fs(values: flags.FlagValues) -> Report:
    for name in ("split", "img_size"):
        if values[name].present:
            raise InputError(
                f"Expected no --{name}, received one; the split and size of CIFAR-FS are "
                "published, drop the flag."
            )
    return prepare_cifar_fs(
        values.source,
        values.out or "data/cifar_fs",
        unlabeled_fraction=values.unlabeled_fraction,
        seed=values.seed,
    )


if __name__ == "__main__":
    main()
