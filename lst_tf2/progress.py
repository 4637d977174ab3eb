"""Progress of long work: a bar on a terminal, plain lines elsewhere."""

import contextlib
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

from tqdm import tqdm

# Share of the time spent waiting for data that is worth a word.
NOTABLE_WAIT = 0.05


class Progress:
    """Counts steps and shows them with figures, pace and time left, on stderr."""

    def __init__(self, label: str, total: int, *, start: int = 0, print_every: int = 1):
        self.label, self.total, self.start, self.print_every = label, total, start, print_every
        self.done = start
        self.started_at = self.lap_started_at = time.monotonic()
        self.lap_start = start
        self.waited = self.lap_waited = 0.0
        self.wait_lap_start = start
        is_terminal = sys.stderr.isatty()
        self.bar = tqdm(
            desc=label, total=total, initial=start, disable=not is_terminal, dynamic_ncols=True
        )

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_) -> None:
        self.bar.close()

    def advance(self, count: int = 1, /, **figures: float) -> None:
        """Counts `count` steps and shows `figures` beside them."""
        before = self.done
        self.done += count
        texts = {name: f"{value:.4g}" for name, value in figures.items()} | self._notable_wait()
        self.bar.set_postfix(texts, refresh=False)
        self.bar.update(count)
        is_due = (
            self.done // self.print_every > before // self.print_every or self.done == self.total
        )
        if self.bar.disable and is_due:
            print(self._line(texts), file=sys.stderr, flush=True)

    def steps_per_second(self) -> float:
        """Returns the mean pace since the start; 0 before the first step."""
        elapsed = time.monotonic() - self.started_at
        return (self.done - self.start) / elapsed if elapsed > 0 else 0.0

    def lap_pace(self) -> float:
        """Returns the steps per second since the last call, and starts a new lap."""
        elapsed, steps = time.monotonic() - self.lap_started_at, self.done - self.lap_start
        self.lap_started_at, self.lap_start = time.monotonic(), self.done
        return steps / elapsed if elapsed > 0 else 0.0

    def time_waits(self, items: Iterable) -> Iterator[Any]:
        """Yields `items` and adds up how long they let the caller wait."""
        iterator = iter(items)
        while True:
            started_at = time.monotonic()
            try:
                item = next(iterator)
            except StopIteration:
                return
            self.waited += time.monotonic() - started_at
            yield item

    def lap_wait(self) -> float:
        """Returns the mean seconds that a step waited since the last call."""
        waited, steps = self.waited - self.lap_waited, self.done - self.wait_lap_start
        self.lap_waited, self.wait_lap_start = self.waited, self.done
        return waited / max(1, steps)

    def _notable_wait(self) -> dict[str, str]:
        elapsed = time.monotonic() - self.started_at
        share = self.waited / elapsed if elapsed > 0 else 0.0
        return {"data_wait": f"{share:.0%}"} if share > NOTABLE_WAIT else {}

    @contextlib.contextmanager
    def pause(self) -> Iterator[None]:
        """Keeps the time that the body takes out of the lap's pace."""
        started_at = time.monotonic()
        yield
        self.lap_started_at += time.monotonic() - started_at

    def _line(self, texts: dict[str, str]) -> str:
        pace = self.steps_per_second()
        left = tqdm.format_interval((self.total - self.done) / pace) if pace else "?"
        figures = " ".join(f"{name}={text}" for name, text in texts.items())
        return f"{self.label} {self.done}/{self.total} {figures} [{pace:.2f}/s, {left} left]"
