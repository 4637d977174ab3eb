import io
import os

import numpy as np
import pytest
from PIL import Image

from lst_tf2.errors import InputError
from lst_tf2.predict import pictures
from lst_tf2.predict.pictures import (
    UnreadableImageError,
    check_pictures,
    digest_of,
    fit_pixels,
    read_content,
)

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (40, 60, 3), np.uint8)


def fit(picture, image_size=8):
    return fit_pixels(read_content(picture), image_size, "picture")


def write(folder, name, image, **options):
    path = folder / name
    image.save(path, **options)
    return path


def test_every_form_of_a_picture_gives_the_same_pixels(tmp_path):
    expected = fit(PIXELS)
    assert expected.shape == (8, 8, 3)
    assert expected.dtype == np.uint8
    image = Image.fromarray(PIXELS)
    path = write(tmp_path, "a name\nwith ünïcode.png", image)
    for picture in (image, path, str(path), PIXELS / 255, np.float32(PIXELS / 255)):
        np.testing.assert_array_equal(fit(picture), expected)


def test_modes_become_rgb(tmp_path):
    grey = PIXELS[..., 0]
    expected = fit(np.repeat(grey[..., np.newaxis], 3, axis=-1))
    sixteen = Image.fromarray(grey.astype(np.uint16) << 8)
    for picture in (
        grey,
        grey[..., np.newaxis],
        grey.astype(np.uint16) << 8,
        Image.fromarray(grey),
        write(tmp_path, "16.png", sixteen),
        write(tmp_path, "16.tif", sixteen),
    ):
        np.testing.assert_array_equal(fit(picture), expected)
    red = Image.new("RGB", (20, 20), (255, 0, 0))
    transparent = Image.new("RGBA", (20, 20), (255, 0, 0, 0))
    np.testing.assert_array_equal(fit(transparent), 255)
    for image in (red.convert("P"), red.convert("RGBA"), red):
        np.testing.assert_array_equal(fit(image), [[[255, 0, 0]] * 8] * 8)
    cmyk = write(tmp_path, "cmyk.jpg", red.convert("CMYK"))
    assert np.abs(fit(cmyk).astype(int) - [255, 0, 0]).max() < 5


def test_photographs_stand_upright(tmp_path):
    half = np.zeros((20, 20, 3), np.uint8)
    half[:10] = 255
    exif = Image.Exif()
    exif[0x0112] = 3  # Turned by 180 degrees.
    path = write(tmp_path, "turned.png", Image.fromarray(half), exif=exif)
    np.testing.assert_array_equal(fit(path)[:3], 0)
    np.testing.assert_array_equal(fit(path)[-3:], 255)


def test_the_first_frame_of_an_animation_counts(tmp_path):
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("white", "black")]
    path = write(tmp_path, "two.gif", frames[0], save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(fit(path), 255)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1)])
def test_the_smallest_pictures_are_enlarged(size):
    np.testing.assert_array_equal(fit(Image.new("RGB", size, "white")), 255)


def test_what_is_no_image_is_named(tmp_path):
    text, empty = tmp_path / "text.jpg", tmp_path / "empty.png"
    text.write_text("not an image")
    empty.write_bytes(b"")
    whole = write(tmp_path, "whole.png", Image.fromarray(PIXELS))
    cut = tmp_path / "cut.png"
    cut.write_bytes(whole.read_bytes()[:2000])
    fifo = tmp_path / "pipe.png"
    os.mkfifo(fifo)
    for picture, reason in (
        (text, "no image, whatever its name"),
        (empty, "an empty file"),
        (cut, "which cannot be read"),
        (fifo, "not a file"),
        (tmp_path, "not a file"),
        (tmp_path / "gone.png", "no such file"),
    ):
        with pytest.raises(UnreadableImageError, match=reason):
            fit_pixels(read_content(picture), 8, picture)


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [
        (np.zeros((4, 4, 2), np.uint8), r"an array of shape \(4, 4, 2\), not \[H, W, 3\]"),
        (np.zeros((0, 4, 3), np.uint8), "an array of shape"),
        (np.zeros((4, 4, 3), np.int64), "an array of int64, not uint8"),
        (np.full((4, 4, 3), 255.0), r"floats in 255..255, not in 0..1"),
        (np.full((4, 4, 3), np.nan), "floats in nan..nan"),
    ],
)
def test_arrays_that_are_no_images_are_refused(pixels, reason):
    with pytest.raises(UnreadableImageError, match=reason):
        fit(pixels)


def test_large_images_are_refused_before_they_are_decoded(monkeypatch):
    monkeypatch.setattr(pictures, "PIXEL_LIMIT", 99)
    file = io.BytesIO()
    Image.new("1", (10, 10)).save(file, "PNG")
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(UnreadableImageError, match="10x10, above 99 pixels"):
        fit_pixels(file.getvalue(), 8, "large.png")


@pytest.mark.slow
def test_the_limit_holds_for_the_largest_files():
    file = io.BytesIO()
    Image.new("1", (30000, 30000)).save(file, "PNG")
    with pytest.raises(UnreadableImageError, match="pixel"):
        fit_pixels(file.getvalue(), 8, "large.png")


def test_digests_tell_contents_apart(tmp_path):
    path = write(tmp_path, "a.png", Image.fromarray(PIXELS))
    others = [PIXELS, PIXELS[::-1], PIXELS / 255, Image.fromarray(PIXELS), read_content(path)]
    assert len({digest_of(each) for each in others}) == len(others)
    assert digest_of(PIXELS[::-1]) == digest_of(PIXELS[::-1].copy())


@pytest.mark.parametrize("given", ["a.png", PIXELS[0], Image.fromarray(PIXELS), 3])
def test_one_picture_is_not_several(given):
    with pytest.raises(InputError, match="pass several, or one in a list"):
        check_pictures(given)
