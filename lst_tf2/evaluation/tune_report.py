"""What is told of chosen settings."""

from typing import Any

from lst_tf2.evaluation.report import PERCENT, describe, signed
from lst_tf2.evaluation.tables import markdown_table


def format_choice(choice: dict[str, Any]) -> str:
    """Returns a table of the settings before and after, and what the change brings.

    Args:
        choice: What `lst_tf2.evaluation.tune.tune` returns.
    """
    before, after = choice["before"], choice["after"]
    rows = [["setting", "tried", "before", "after"]]
    for name, value in after.items():
        tried = " ".join(map(_text, choice["tried"].get(name, ())))
        rows.append([name, tried, _text(before[name]), _text(value)])
    accuracies = " to ".join(map(describe, choice["accuracy"]))
    errors = " to ".join(f"{PERCENT * error:.1f}" for error in choice["calibration_error"])
    return (
        f"{markdown_table(rows)}\n\n"
        f"On {choice['episodes']} validation episodes, which chose: accuracy {accuracies} %, "
        f"paired gain {signed(choice['gain'])}; expected calibration error {errors} %."
    )


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
