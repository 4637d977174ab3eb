"""Settings of episodes and of their lists."""

import dataclasses

from lst_tf2.config.headings import EPISODE, RUNNING
from lst_tf2.settings import SEEDS, Settings, part, setting

PROTOCOLS = ("paper", "standard")
SPLITS = ("train", "val", "test")


@dataclasses.dataclass(frozen=True)
class EpisodeConfig(Settings, group=EPISODE):
    """Describes what one episode holds: counts of classes and of images per class.

    Attributes:
        way: N, classes in an episode.
        shot: K, labeled images per class.
        unlabeled_per_class: Unlabeled images per class.
        unlabeled_balance: How unlabeled images divide among the classes of an episode, as many in
            all: equal, dirichlet:ALPHA, uniform:LEAST:MOST, or a JSON file with a number per class.
    """

    way: int = setting(5, flag="way_num", at_least=2)
    shot: int = setting(1, flag="shot_num", at_least=1)
    queries_per_class: int = setting(15, at_least=1)
    unlabeled_per_class: int = setting(10, flag="nb_ul_samples", at_least=1)
    num_distractor_classes: int = setting(0, at_least=0)
    unlabeled_balance: str = setting("equal", flag="unlabeled_balance")

    @property
    def labeled_per_class(self) -> int:
        """Images of a class drawn from the labeled pool: the shot, then the queries."""
        return self.shot + self.queries_per_class


@dataclasses.dataclass(frozen=True)
class ListConfig(Settings, group=EPISODE):
    """Names the episode lists of one split: where, what, how many, from which seed.

    Attributes:
        num_episodes: Length of the list of episodes.
        seed: Seed of episodes, initial weights and dropout.
    """

    data_folder: str
    split: str = setting("train", choices=SPLITS)
    episode: EpisodeConfig = part(EpisodeConfig())
    num_episodes: int = setting(80000, at_least=1)
    seed: int = setting(0, flag="seed", group=RUNNING, **SEEDS)
