"""The command that renders `glyphs`, the embedded few-shot data set."""

from absl import app, flags

from lst_tf2.cli.command_help import show_on_help
from lst_tf2.datasets import glyphs
from lst_tf2.errors import exit_on_input_error


def main() -> None:
    """Runs the command `python -m lst_tf2.cli.glyphs`."""
    flags.DEFINE_string("out", "data/glyphs", "Folder of the data set.")
    flags.DEFINE_integer("seed", 0, "The same seed gives the same images.")
    flags.DEFINE_integer("img_size", 32, "Side of an image in pixels.")
    flags.DEFINE_integer("images_per_class", 200, "Half of them labeled, half unlabeled.")
    flags.DEFINE_integer("workers", None, "Processes; one for each processor by default.")
    flags.DEFINE_bool("overwrite", False, "Replace an earlier data set in --out.")
    show_on_help(
        ("out", "seed", "img_size", "images_per_class", "workers", "overwrite"), glyphs.__doc__
    )
    app.run(run_command)


def run_command(arguments: list[str]) -> None:
    """Renders what the flags say and tells what to run next."""
    if len(arguments) > 1:
        raise app.UsageError(f"Expected flags only, received {arguments[1:]}.")
    values = flags.FLAGS
    asked = {"seed": values.seed, "image_size": values.img_size}
    asked["images_per_class"] = values.images_per_class
    with exit_on_input_error():
        if values.overwrite:
            report = glyphs.write_dataset(values.out, glyphs.Settings(**asked), values.workers)
        else:
            report = glyphs.render_dataset(values.out, **asked, workers=values.workers)
    state = "Wrote" if report.is_new else "Nothing to do, found"
    print(f"{state} {report.num_images} images in {report.folder}")
    print("Next: python train.py --phase=pre --flagfile=configs/demo_pretrain.flags")


if __name__ == "__main__":
    main()
