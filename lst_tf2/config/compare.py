"""Settings of a comparison of methods on the same episodes."""

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
# What every other is measured against.
SUPPORT = "support"
ALL = "all"
COMPARED = (
    "support",
    "graph_lst",
    "lst",
    "label_propagation",
    "soft_kmeans",
    "masked_soft_kmeans",
    "ilpc+cleaning_steps=100",
    "ilpc+is_balanced=false",
    "ici",
    "music",
    "label_spreading",
    "self_training_classifier",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CompareConfig(ImageRunConfig, group=EPISODE):
    """Describes the methods, and the cells of the table: what the episodes are like."""

    run_folder: str
    data_folder: str
    model: ModelConfig  # That of the run, by no flags.
    test_iter: str = "last"
    methods: tuple[str, ...] = setting(
        (ALL,),
        "Methods to compare, each with settings after it: name+key=value+key=value; `all`: those "
        "of the package, and of scikit-learn.",
        flag="methods",
        group=METHOD,
    )
    split: str = setting(
        "test", "Classes: `test`, or `val` to choose by.", flag="split", choices=("val", "test")
    )
    num_episodes: int = setting(
        100, "Episodes of each kind, the same for all methods.", flag="episodes", at_least=2
    )
    shots: tuple[int, ...] = setting((1, 5), "Labeled images per class.", flag="shots")
    distractor_classes: tuple[int, ...] = setting(
        (0, 3, 7), "Numbers of classes outside the episode among the unlabeled.", flag="num_dis"
    )
    balances: tuple[str, ...] = setting(
        ("equal", "dirichlet:2", "uniform:5:100"),
        "How unlabeled images divide among classes; see --unlabeled_balance of `lst test`.",
        flag="balances",
    )
    way: int = setting(5, "N, classes in an episode.", flag="way_num", at_least=2)
    unlabeled_per_class: int = setting(
        50, "Unlabeled images per class, in the mean.", flag="nb_ul_samples", at_least=1
    )
    seed: int = setting(0, "Seed of the episodes.", flag="seed", **SEEDS)

    def check(self) -> None:
        """Raises `InputError` where there is nothing to compare."""
        for name in ("methods", "shots", "distractor_classes", "balances"):
            values = getattr(self, name)
            is_right = len(values) > 0 and len(set(values)) == len(values)
            check(is_right, f"{name} of one or more, each once", values, "name others", name)
        for method in self.compared:
            self.stages_of(method)

    @property
    def compared(self) -> tuple[str, ...]:
        """The methods, by name and settings."""
        return COMPARED if self.methods == (ALL,) else self.methods

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
        return SelfTrainingConfig(method=name, method_settings=tuple(words), **stages)
