"""Lays public and private images out as a data set. It never downloads.

    python -m lst_tf2.cli.prepare <kind> --source=<folder or file> --out=data/<name>

writes `<out>/{labeled,unlabeled}_{train,val,test}/<class>/<image>` and `prepared.json`, the record
of how, with a checksum of each class. `<kind>` is one of

miniImagenet, tieredImagenet: what is found at --source is one of
  {labeled,unlabeled}_{train,val,test}/<class>/<image>, as the original program has it: the pools
    are kept, images of 84x84 pixels are copied as they are, others are resized
  {train,val,test}/<class>/<image>
  mini-imagenet-cache-{train,val,test}.pkl (miniImagenet), or {train,val,test}_images_png.pkl or
    _images.npz with {train,val,test}_labels.pkl (tieredImagenet), the few-shot files of
    Ren et al., https://github.com/renmengye/few-shot-ssl-public
  {train,val,test}.csv with images/, as Ravi and Larochelle publish the split
cifar_fs, fc100: from CIFAR-100, --source is one of
  the file cifar-100-python.tar.gz of https://www.cs.toronto.edu/~kriz/cifar.html
  cifar-100-python/{train,test,meta}, extracted from it
  {train,test}/<class>/<image> or <class>/<image>, such as a clone of
    https://github.com/cyizhuo/CIFAR-100-dataset
folder: your own data, any <class>/<image> in JPEG or PNG, cropped to the centre square and resized;
  --split draws the classes of train, val and test

The classes and the number of images have to be the published ones, and the authors' files of
CIFAR-100 have to have the published checksums. --unlabeled_fraction is drawn from each class: by
default 0.6 (miniImagenet) and 0.9 (tieredImagenet) as in Ren et al., arXiv:1803.00676, else 0.5.

The same source and seed give the same files. An interrupted run leaves `.<name>.partial` beside
--out, and the same command goes on with it. --verify compares what is at --out with its record.
"""

import pathlib

from absl import app, flags

from lst_tf2.cli.command_help import show_on_help
from lst_tf2.data.layout import POOLS
from lst_tf2.datasets.build import prepare_folder, prepare_published
from lst_tf2.datasets.checksums import RECORD_NAME, verify_dataset
from lst_tf2.datasets.published import NAMES, load_published
from lst_tf2.datasets.writer import Recipe, Report
from lst_tf2.errors import InputError, exit_on_input_error

KINDS = (*NAMES, "folder")
OWN_UNLABELED_FRACTION = 0.5


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
    """Runs the command `python -m lst_tf2.cli.prepare`."""
    flags.DEFINE_string("source", "", "Folder or file to read.")
    flags.DEFINE_string("out", "", "Folder of the data set; data/<kind> by default.")
    flags.DEFINE_integer("seed", 0, "The same seed draws the same splits and pools.")
    flags.DEFINE_float(
        "unlabeled_fraction",
        None,
        "Unlabeled share of the images of each class; 0.6 for miniImagenet, 0.9 for "
        "tieredImagenet and 0.5 for the others by default.",
    )
    flags.DEFINE_list(
        "split", "0.64,0.16,0.2", "folder: shares of the classes for train, val and test."
    )
    flags.DEFINE_integer("img_size", 84, "folder: side of an image in pixels.")
    flags.DEFINE_boolean("verify", False, "Only compare what is at --out with its record.")
    names = ("source", "out", "seed", "unlabeled_fraction", "split", "img_size", "verify")
    show_on_help(names, __doc__)
    app.run(run_command)


def run_command(arguments: list[str]) -> None:
    """Prepares what the arguments and flags say and tells what to run next."""
    if len(arguments) != 2 or arguments[1] not in KINDS:
        raise app.UsageError(f"Expected one of {', '.join(KINDS)}, received {arguments[1:]}.")
    values, kind = flags.FLAGS, arguments[1]
    out = values.out or f"data/{kind}"
    with exit_on_input_error():
        if values.verify:
            print(f"All {verify_dataset(out)} classes in {out} are as {RECORD_NAME} records them.")
            return
        run = _run_folder if kind == "folder" else _run_published
        print("\n".join(summary_lines(*run(kind, out, values))))


def _run_folder(_: str, out: str, values: flags.FlagValues) -> tuple[Report, int]:
    try:
        shares = [float(share) for share in values.split]
    except ValueError:
        raise InputError(
            f"Expected numbers for --split, received {','.join(values.split)}; "
            "pass for example --split=0.64,0.16,0.2."
        ) from None
    given = values.unlabeled_fraction
    fraction = OWN_UNLABELED_FRACTION if given is None else given
    recipe = Recipe(values.img_size, fraction, values.seed)
    return prepare_folder(values.source, out, shares=shares, recipe=recipe), values.img_size


def _run_published(kind: str, out: str, values: flags.FlagValues) -> tuple[Report, int]:
    published = load_published(kind)
    for name in ("split", "img_size"):
        if values[name].present:
            raise InputError(
                f"Expected no --{name}, received one; the split and size of {published.title} are "
                "published, drop the flag."
            )
    report = prepare_published(
        published,
        values.source,
        out,
        unlabeled_fraction=values.unlabeled_fraction,
        seed=values.seed,
    )
    return report, published.image_size


if __name__ == "__main__":
    main()
