"""Settings of the kinds of episodes that methods are compared, or chosen, on."""

import dataclasses

from lst_tf2.config.episodes import EpisodeConfig, ListConfig
from lst_tf2.config.headings import EPISODE, METHOD
from lst_tf2.config.method import ModelConfig, SelfTrainingConfig
from lst_tf2.config.runs import ImageRunConfig
from lst_tf2.errors import check
from lst_tf2.settings import SEEDS, setting

# Those that look at the unlabeled images window by window, stage by stage, as LST.
RECURRENT = ("lst", "label_propagation")
RECURRENT_STAGES = {"num_stages": 6, "unlabeled_per_stage": 30}


@dataclasses.dataclass(frozen=True, kw_only=True)
class PilesConfig(ImageRunConfig, group=EPISODE):
    """Describes the cells of a table: what the episodes are like, and of which run and classes.

    Attributes:
        backbone: Use this backbone in place of that of a run: a preset, or the folder of one, of
            pre-trained weights or of a run.
        is_mirrored: Embed each image as the mean of it and its mirror image; takes twice the time.
        use_tuned: Where no settings are given, take those that `lst tune` chose for the run or
            backbone; else the defaults of the method.
        num_episodes: Episodes of each kind, the same for all methods.
        shots: Labeled images per class.
        distractor_classes: Numbers of classes outside the episode among the unlabeled.
        balances: How unlabeled images divide among classes; see unlabeled_balance of `lst test`.
        way: N, classes in an episode.
        unlabeled_per_class: Unlabeled images per class, in the mean.
        seed: Seed of the episodes.
    """

    run_folder: str
    data_folder: str
    model: ModelConfig  # That of the run, by no flags.
    test_iter: str = "last"
    split: str = "val"
    weighting: str = "soft"  # `none` where there is no soft weighting network.
    backbone: str = setting("", flag="backbone", group=METHOD)
    is_mirrored: bool = setting(False, flag="mirrored", group=METHOD)
    use_tuned: bool = setting(True, flag="tuned", group=METHOD)
    num_episodes: int = setting(100, flag="episodes", at_least=2)
    shots: tuple[int, ...] = setting((1, 5), flag="shots")
    distractor_classes: tuple[int, ...] = setting((0, 3, 7), flag="num_dis")
    balances: tuple[str, ...] = setting(("equal", "dirichlet:2", "uniform:5:100"), flag="balances")
    way: int = setting(5, flag="way_num", at_least=2)
    unlabeled_per_class: int = setting(50, flag="nb_ul_samples", at_least=1)
    seed: int = setting(0, flag="seed", **SEEDS)

    def check(self) -> None:
        """Raises `InputError` where there are no episodes, or some twice."""
        self.check_listed("shots", "distractor_classes", "balances")

    def check_listed(self, *names: str) -> None:
        """Raises `InputError` unless each of the settings holds one value or more, each once."""
        for name in names:
            values = getattr(self, name)
            is_right = len(values) > 0 and len(set(values)) == len(values)
            check(is_right, f"{name} of one or more, each once", values, "name others", name)

    @property
    def cells(self) -> list[EpisodeConfig]:
        """The kinds of episodes; those of equal shapes follow each other."""
        return [
            EpisodeConfig(
                way=self.way,
                shot=shot,
                unlabeled_per_class=self.unlabeled_per_class,
                num_distractor_classes=count,
                unlabeled_balance=balance,
            )
            for shot in self.shots
            for count in self.distractor_classes
            for balance in self.balances
        ]

    def list_of(self, cell: EpisodeConfig) -> ListConfig:
        """Returns the list of episodes of a kind."""
        return ListConfig(self.data_folder, self.split, cell, self.num_episodes, self.seed)

    def stages_of(self, method: str) -> SelfTrainingConfig:
        """Returns the stages of a method: those of LST, or one that sees all images.

        Raises:
            InputError: If there can be no such method.
        """
        name, *words = method.split("+")
        stages = {"num_stages": 1, "unlabeled_per_stage": self.unlabeled_per_class}
        if name in RECURRENT:
            most = min(RECURRENT_STAGES["unlabeled_per_stage"], self.unlabeled_per_class)
            stages = {**RECURRENT_STAGES, "unlabeled_per_stage": most}
        stages |= {"weighting": self.weighting, "method_settings": tuple(words)}
        return SelfTrainingConfig(method=name, **stages)
