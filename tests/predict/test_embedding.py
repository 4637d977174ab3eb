"""Tests of `predict/embedding.py` and `predict/embedding_cache.py`."""

import contextlib
import sqlite3

import numpy as np
import pytest
from PIL import Image

from lst_tf2.errors import InputError
from lst_tf2.predict import embedding_cache
from lst_tf2.predict.embedding import Embedder
from lst_tf2.predict.embedding_cache import EmbeddingCache
from lst_tf2.predict.loading import load_backbone


@pytest.fixture(name="paths")
def fixture_paths(letters, tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(70)]  # More than are embedded at once.
    for path, image in zip(paths, letters.unlabeled_images, strict=False):
        Image.fromarray(image).save(path)
    return paths


def found(embedder, pictures):
    return np.stack([one.embedding for one in embedder.stream(pictures)])


def test_pictures_come_in_order_and_faults_in_their_place(paths):
    backbone = load_backbone("glyphs")
    expected = found(Embedder(backbone), paths)
    paths[65].write_bytes(b"")
    embedded = list(Embedder(backbone).stream(paths))
    assert [one.picture for one in embedded] == paths
    assert [i for i, one in enumerate(embedded) if one.fault] == [65]
    for i in (0, 63, 64, 69):
        np.testing.assert_allclose(embedded[i].embedding, expected[i], atol=1e-5)


def test_the_second_time_nothing_is_embedded(paths, tmp_path, monkeypatch):
    backbone = load_backbone("glyphs")
    expected = found(Embedder(backbone, tmp_path / "cache"), paths)
    paths[3].rename(tmp_path / "another name.png")
    paths[3] = tmp_path / "another name.png"
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("decoded"))
    np.testing.assert_array_equal(found(Embedder(backbone, tmp_path / "cache"), paths), expected)


@pytest.mark.slow
def test_another_backbone_or_size_has_embeddings_of_its_own(paths, tmp_path):
    for size in (32, 48):
        backbone = load_backbone("glyphs", size)
        expected = found(Embedder(backbone), paths)
        np.testing.assert_array_equal(found(Embedder(backbone, tmp_path / "c"), paths), expected)
    assert len(list((tmp_path / "c").glob("*.sqlite"))) == 2


@pytest.mark.parametrize("damage", ["garbage", "cut", "values", "bits"])
def test_a_damaged_cache_is_made_again(damage, paths, tmp_path):
    backbone = load_backbone("glyphs")
    expected = found(Embedder(backbone, tmp_path / "cache"), paths)
    (path,) = (tmp_path / "cache").glob("*.sqlite")
    if damage == "values":
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE embeddings SET floats = x'00' WHERE rowid % 2")
            connection.execute("UPDATE embeddings SET floats = 'text' WHERE NOT rowid % 2")
    elif damage == "bits":
        with sqlite3.connect(path) as connection:
            rows = connection.execute("SELECT rowid, floats FROM embeddings").fetchall()
            flipped = [(bytes([floats[0] ^ 1]) + floats[1:], row) for row, floats in rows]
            connection.executemany("UPDATE embeddings SET floats = ? WHERE rowid = ?", flipped)
    else:
        content = path.read_bytes()
        path.write_bytes(b"garbage" * 999 if damage == "garbage" else content[: len(content) // 2])
    np.testing.assert_array_equal(found(Embedder(backbone, tmp_path / "cache"), paths), expected)


def test_a_folder_that_cannot_be_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"Expected a folder for embeddings at .*file, received"):
        EmbeddingCache(tmp_path / "file", "backbone", 3)


def test_a_cache_that_another_locks_is_no_damaged_one(tmp_path, monkeypatch):
    monkeypatch.setattr(embedding_cache, "WAIT_SECONDS", 0.1)
    path = EmbeddingCache(tmp_path, "backbone", 3).path
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(InputError, match="received database is locked"):
            EmbeddingCache(tmp_path, "backbone", 3)
    assert path.exists()
