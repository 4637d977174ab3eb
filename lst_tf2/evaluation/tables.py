"""Tables as Markdown."""

from tabulate import tabulate


def markdown_table(rows: list[list[str]]) -> str:
    """Returns the rows, of which the first is the header, as a Markdown table."""
    return tabulate(rows[1:], rows[0], "github", disable_numparse=True)
