"""Settings of a comparison of methods on the same episodes."""

import dataclasses

from lst_tf2.config.headings import EPISODE, METHOD
from lst_tf2.config.piles import PilesConfig
from lst_tf2.settings import setting

# What every other is measured against.
SUPPORT = "support"
ALL = "all"
COMPARED = (
    "support",
    "graph_lst",
    "lst",
    "label_propagation",
    "soft_kmeans",
    "spherical_kmeans",
    "masked_soft_kmeans",
    "ilpc+cleaning_steps=100",
    "ilpc+is_balanced=false",
    "ici",
    "music",
    "label_spreading",
    "self_training_classifier",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CompareConfig(PilesConfig, group=EPISODE):
    """Describes the methods, and the classes of their episodes.

    Attributes:
        methods: Methods to compare, each with settings after it: name+key=value+key=value; `all`:
            those of the package, and of scikit-learn.
        split: Classes: `test`, or `val` to choose by.
    """

    methods: tuple[str, ...] = setting((ALL,), flag="methods", group=METHOD)
    split: str = setting("test", flag="split", choices=("val", "test"))

    def check(self) -> None:
        """Raises `InputError` where there is nothing to compare."""
        super().check()
        self.check_listed("methods")
        for method in self.compared:
            self.stages_of(method)

    @property
    def compared(self) -> tuple[str, ...]:
        """The methods, by name and settings."""
        return COMPARED if self.methods == (ALL,) else self.methods
