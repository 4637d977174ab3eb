"""What `--help` shows, the same for a script, `python -m` and an installed command."""

import sys
from collections.abc import Iterable

from absl import flags


def show_on_help(names: Iterable[str], text: str) -> None:
    """Makes `--help` list the flags `names`, below `text` where the script has none of its own.

    Left to itself, absl lists the flags that the script's own file defines; the file of an
    installed command defines none.
    """
    for name in names:
        flags.FLAGS.register_key_flag_for_module(sys.argv[0], flags.FLAGS[name])
    main = sys.modules["__main__"]
    main.__doc__ = main.__doc__ or text
