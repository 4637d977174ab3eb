"""Pages that hold all they need: no network, no script from elsewhere."""

import functools
import importlib.metadata
import io
import itertools
import platform
import re
from collections.abc import Callable
from typing import Any

import jinja2

# Colours of Okabe and Ito, told apart by colour-blind readers, dark enough beside white and light
# enough beside black.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#8C6D00", "#56B4E9", "#7F7F7F", "#A0522D")
# What matplotlib draws in this colour gets that of the page's text.
INK = "#010203"
INKED = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
FIGURE_NUMBERS = itertools.count(1)
PACKAGES = ("lst_tf2", "tensorflow", "keras", "numpy", "scikit-learn", "pillow", "matplotlib")


@functools.cache
def templates() -> jinja2.Environment:
    """Returns the templates; what they are given is escaped but for what is marked as safe."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("lst_tf2.predict", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(template: str, **values) -> str:
    """Returns the page that a template makes of `values`."""
    return templates().get_template(template).render(versions=versions(), **values)


def versions() -> dict[str, str]:
    """Returns which versions of what are at work."""
    found = {"python": platform.python_version()}
    return found | {name: importlib.metadata.version(name) for name in PACKAGES}


def inline_svg(draw: Callable[[], Any], description: str) -> str:
    """Returns a matplotlib figure as SVG for a page, with a text for those who cannot see it.

    Args:
        draw: Returns the figure; lines and texts of no colour of their own get that of the page.
        description: What can be seen.
    """
    import matplotlib  # Takes half a second to import.

    buffer = io.StringIO()
    style = dict.fromkeys(INKED, INK) | {"svg.fonttype": "none", "svg.hashsalt": "lst_tf2"}
    with matplotlib.rc_context({**style, "legend.framealpha": 0, "legend.labelcolor": INK}):
        figure = draw()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    drawn = buffer.getvalue()
    drawn = drawn[drawn.index("<svg") :].replace(INK, "currentColor")
    drawn = re.sub(r"<metadata>.*?</metadata>", "", drawn, flags=re.DOTALL)
    # A page has several figures, in which each name may stand once.
    own = f"f{next(FIGURE_NUMBERS)}-"
    drawn = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{own}", drawn)
    label = str(jinja2.filters.escape(description))
    return drawn.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
