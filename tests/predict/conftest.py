"""What tests of predictions share: a draw of letters, and a folder for embeddings."""

import pytest

from lst_tf2.datasets.letters import LetterSettings, draw_letters


@pytest.fixture(autouse=True)
def fixture_cache(tmp_path_factory, monkeypatch):
    """Keeps embeddings out of the user's own folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(name="letters", scope="session")
def fixture_letters():
    """Five letters, two images each, three other ones in the pile."""
    return draw_letters(LetterSettings(seed=2, shot=2, least=10, most=25, queries_per_class=10))
