"""Lays public and private images out as a data set. It never downloads.

    lst prepare <kind> --source=<folder or file> --out=data/<name>

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

import dataclasses
from collections.abc import Sequence

from absl import flags

from lst_tf2.cli.command import Command
from lst_tf2.cli.fitting_flags import list_shortages, next_pretraining
from lst_tf2.cli.flag_rows import build_from
from lst_tf2.data.layout import POOLS
from lst_tf2.datasets.build import prepare_folder, prepare_published
from lst_tf2.datasets.checksums import RECORD_NAME, verify_dataset
from lst_tf2.datasets.published import NAMES, load_published
from lst_tf2.datasets.writer import PrepareConfig, PreparedData
from lst_tf2.errors import check
from lst_tf2.settings import Settings, part, setting

KINDS = (*NAMES, "folder")
OWN_UNLABELED_FRACTION = 0.5


@dataclasses.dataclass(frozen=True)
class PrepareFlags(Settings, group="What to read and to write"):
    """Holds what to prepare, and how.

    Attributes:
        source: Folder or file to read.
        out: Folder of the data set; data/<kind> by default.
        shares: folder: shares of the classes for train, val and test.
        verify: Only compare what is at --out with its record.
    """

    source: str = setting("", flag="source")
    out: str = setting("", flag="out")
    config: PrepareConfig = part(PrepareConfig(unlabeled_fraction=None))
    shares: tuple[float, ...] = setting((0.64, 0.16, 0.2), flag="split")
    verify: bool = setting(False, flag="verify")


def summary_lines(prepared: PreparedData, max_shown: int = 20) -> list[str]:
    """Returns what the command prints: what was skipped, what was written, what to run next."""
    lines = [f"Skipped {len(prepared.skipped)} files:"] if prepared.skipped else []
    lines += [f"  {name!r}: {reason}" for name, reason in prepared.skipped[:max_shown]]
    if len(prepared.skipped) > max_shown:
        lines.append(f"  and {len(prepared.skipped) - max_shown} more, all named in {RECORD_NAME}")
    for split, count in prepared.num_classes.items():
        labeled, unlabeled = (prepared.num_images[f"{pool}_{split}"] for pool in POOLS)
        lines.append(f"{split}: {count} classes, {labeled} labeled, {unlabeled} unlabeled images")
    lines.append(f"Wrote {sum(prepared.num_images.values())} images in {prepared.folder}")
    return [*lines, *list_shortages(prepared.folder), next_pretraining(prepared.folder)]


def run_prepare(values: flags.FlagValues, words: Sequence[str]) -> None:
    """Prepares the kind of data set that `words` names and tells what to run next."""
    asked, (kind,) = build_from(PrepareFlags, values), words
    out = asked.out or f"data/{kind}"
    if asked.verify:
        print(f"All {verify_dataset(out)} classes in {out} are as {RECORD_NAME} records them.")
    elif kind == "folder":
        prepared = _prepare_own(asked, out)
        print("\n".join(summary_lines(prepared)))
    else:
        published = load_published(kind)
        for name in ("split", "img_size"):
            check(
                not values[name].present,
                f"no --{name}",
                f"one; the split and size of {published.title} are published",
                "drop the flag",
            )
        config = asked.config
        prepared = prepare_published(
            published,
            asked.source,
            out,
            unlabeled_fraction=config.unlabeled_fraction,
            seed=config.seed,
        )
        print("\n".join(summary_lines(prepared)))


def _prepare_own(asked: PrepareFlags, out: str) -> PreparedData:
    config = asked.config
    if config.unlabeled_fraction is None:
        config = dataclasses.replace(config, unlabeled_fraction=OWN_UNLABELED_FRACTION)
    return prepare_folder(asked.source, out, shares=asked.shares, config=config)


PREPARE = Command("lst prepare", __doc__, run_prepare, (PrepareFlags,), choices=KINDS)
