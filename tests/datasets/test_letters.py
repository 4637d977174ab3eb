import numpy as np

from lst_tf2.datasets.glyphs import FONTS as GLYPH_FONTS
from lst_tf2.datasets.glyphs import SPLITS
from lst_tf2.datasets.letters import FONTS, LETTERS, LetterSettings, draw_letters


def test_letters_and_fonts_are_none_that_glyphs_are_trained_on():
    assert not set(LETTERS) & set(SPLITS["train"])
    assert not {f"{font}.ttf" for font in FONTS} & set(GLYPH_FONTS)


def test_a_draw_is_as_described():
    settings = LetterSettings(seed=5, way=3, shot=2, num_distractor_classes=2, least=4, most=9)
    draw, again = draw_letters(settings), draw_letters(settings)
    own = set(draw.support_labels)
    assert len(own) == 3
    assert len(draw.support_images) == 6
    classes, counts = np.unique(draw.unlabeled_truth, return_counts=True)
    assert len(set(classes) - own) == 2
    assert 4 <= counts.min() <= counts.max() <= 9
    assert set(draw.query_labels) == own
    for image in draw.images:
        assert image.dtype == np.uint8
        assert 36 <= min(image.shape[:2]) <= max(image.shape[:2]) <= 90
    assert list(draw.labels[:6]) == list(draw.support_labels)
    assert set(draw.labels[6:]) == {-1}
    for image, same in zip(draw.images, again.images, strict=True):
        np.testing.assert_array_equal(image, same)
