"""Settings of what pre-training does with its images, and what it asks of the network."""

import dataclasses

from lst_tf2.config.headings import PRETRAINING
from lst_tf2.errors import check
from lst_tf2.settings import SIDES, Settings, setting

RECIPES = ("mtl", "modern")


@dataclasses.dataclass(frozen=True)
class RecipeConfig(Settings, group=PRETRAINING):
    """Describes augmentation, further tasks and averaging; by default there is none of them.

    Attributes:
        is_flipped: Mirror images at random (modern: yes).
        crop_pixels: Shift images at random by up to so many pixels either way (modern: 4).
        jitter: Change brightness and contrast at random by up to this share (modern: 0.2).
        turned_share: Share of images turned by a quarter, a half or three quarters of a circle; a
            second head learns by which (arXiv:1803.07728; modern: 0.5).
        mixup: Strength of manifold mixup (arXiv:1806.05236): shares from Beta(pre_mixup,
            pre_mixup); 0: none (modern: 0.2).
        label_smoothing: Share of the target that is spread over all classes (modern: 0.1).
        episodic_weight: Weight of a second loss: the class of each image by its cosine to the class
            means of the rest of the batch; 0: none.
        average_decay: Keep the average of the weights over about 1 / (1 - pre_average) iterations,
            which is what later commands read; 0: the last weights (modern: 0.998).
        sizes: Sides in pixels, each for an equal part of the iterations; none: img_size throughout.
            Smaller images first save time.
    """

    is_flipped: bool = setting(False, flag="pre_flip", group=PRETRAINING)
    crop_pixels: int = setting(0, flag="pre_crop", at_least=0)
    jitter: float = setting(0.0, flag="pre_jitter", at_least=0, at_most=1)
    turned_share: float = setting(0.0, flag="pre_turn", at_least=0, at_most=1)
    mixup: float = setting(0.0, flag="pre_mixup", at_least=0)
    label_smoothing: float = setting(0.0, flag="pre_smoothing", at_least=0, at_most=1)
    episodic_weight: float = setting(0.0, flag="pre_episodic", at_least=0)
    average_decay: float = setting(0.0, flag="pre_average", at_least=0, at_most=0.999999)
    sizes: tuple[int, ...] = setting((), flag="pre_sizes", kind=int)

    def check(self) -> None:
        """Raises `InputError` for sides that no image can have."""
        check(
            all(SIDES["at_least"] <= side <= SIDES["at_most"] for side in self.sizes),
            f"sizes of {SIDES['at_least']} to {SIDES['at_most']} pixels",
            ",".join(map(str, self.sizes)),
            "name them as 24,32",
            "sizes",
        )

    def size_at(self, step: int, num_steps: int, image_size: int) -> int:
        """Returns the side of the images in step `step` of `num_steps`, from 0."""
        sizes = self.sizes or (image_size,)
        return sizes[step * len(sizes) // num_steps]
