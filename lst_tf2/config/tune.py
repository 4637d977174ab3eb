"""Settings of the choice of a method's settings on validation classes."""

import dataclasses

from lst_tf2.config.headings import EPISODE, METHOD
from lst_tf2.config.method import SelfTrainingConfig
from lst_tf2.config.piles import PilesConfig
from lst_tf2.settings import setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class TuneConfig(PilesConfig, group=EPISODE):
    """Describes the method, and how much better a value has to be; the classes are fixed.

    Attributes:
        method: Method whose settings to choose: one that `lst test` takes.
        method_settings: Settings of the method to start from, in place of its tuned or default
            ones: key=value,key=value.
        passes: How often to go through all settings.
        min_gain: Percentage points that a value has to gain, beside half of the gain's 95 %
            interval.
    """

    method: str = setting("graph_lst", flag="method", group=METHOD)
    method_settings: tuple[str, ...] = setting((), flag="method_settings", group=METHOD)
    passes: int = setting(1, flag="passes", group=METHOD, at_least=1)
    min_gain: float = setting(0.0, flag="min_gain", group=METHOD, at_least=0)

    def check(self) -> None:
        """Raises `InputError` where there are no episodes, or no such method."""
        super().check()
        self.start()

    def start(self) -> SelfTrainingConfig:
        """Returns the method as it is before the choice.

        Raises:
            InputError: If there can be no such method.
        """
        stages = self.stages_of(self.method)
        return dataclasses.replace(stages, method_settings=self.method_settings)
