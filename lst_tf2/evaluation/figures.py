"""How figures of matplotlib are written."""

import io
import pathlib

from lst_tf2.files import write_bytes


def write_figure(figure, path: pathlib.Path) -> None:
    """Writes a matplotlib `figure` as PNG; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120, metadata={"Software": None})
    write_bytes(path, buffer.getvalue())
