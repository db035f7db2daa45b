"""The catalogue is found in a checkout and inside an installed wheel."""

from __future__ import annotations

import pytest

from characterize import paths
from characterize.errors import BrokenRecordError


@pytest.fixture(autouse=True)
def _forget_the_last_answer():
    paths.data_directory.cache_clear()
    yield
    paths.data_directory.cache_clear()


def test_a_checkout_keeps_its_catalogue_beside_the_packages(tmp_path, monkeypatch):
    (tmp_path / "data" / "hardware").mkdir(parents=True)
    monkeypatch.setattr(paths, "_PACKAGE", tmp_path / "characterize")
    assert paths.data_directory() == tmp_path / "data"


def test_a_wheel_carries_its_catalogue_inside_and_it_wins(tmp_path, monkeypatch):
    for parent in (tmp_path, tmp_path / "characterize"):
        (parent / "data" / "hardware").mkdir(parents=True)
    monkeypatch.setattr(paths, "_PACKAGE", tmp_path / "characterize")
    assert paths.data_directory() == tmp_path / "characterize" / "data"


def test_a_directory_named_data_without_profiles_is_not_the_catalogue(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    monkeypatch.setattr(paths, "_PACKAGE", tmp_path / "characterize")
    with pytest.raises(BrokenRecordError, match=r"neither .* nor .* has a directory 'hardware'"):
        paths.data_directory()


def test_this_installation_is_complete():
    assert {"hardware", "published", "reports"} <= {
        p.name for p in paths.data_directory().iterdir()
    }
