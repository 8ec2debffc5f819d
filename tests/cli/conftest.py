import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from huanjie_lib.access.keys import KeyRing
from huanjie_lib.store.ledger import open_ledger
from tests.cli.calls import SEED


@pytest.fixture
def city(small_city: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(small_city, tmp_path / "city"))


@pytest.fixture
def flat(city: Path) -> Callable[[str], tuple[pd.DataFrame, Path]]:
    """A table of the city as CSV, so that it can be spoilt cell by cell."""

    def open_table(name: str) -> tuple[pd.DataFrame, Path]:
        path = city / "tables" / f"{name}.parquet"
        frame = pd.read_parquet(path)
        path.unlink()
        return frame, path.with_suffix(".csv")

    return open_table


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """An empty ledger."""
    open_ledger(tmp_path / "store", create=True).close()
    return tmp_path / "store"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """The keys that the reserve of the small city is sealed with."""
    KeyRing.from_seed(SEED).write(tmp_path / "key.json")
    return tmp_path / "key.json"


@pytest.fixture
def person(small_city: Path) -> str:
    """Someone of its reserve."""
    return str(pd.read_parquet(small_city / "tables" / "people.parquet")["person_ref"].iloc[3])
