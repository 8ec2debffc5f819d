"""Rotation of a folder that holds the register of the small city and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from huanjie_lib.access.keys import KeyRing
from huanjie_lib.access.rotation import Rotation, rotate_tree
from huanjie_lib.errors import DataError, UsageError
from huanjie_lib.workbench import open_data, rotate_keys

SEED = 20261031


@pytest.fixture
def data(small_city: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "tables").mkdir(parents=True)
    names = ("units", "townships", "people", "people_protected", "identities", "kinships", "plans")
    for name in names:
        shutil.copy(small_city / "tables" / f"{name}.parquet", folder / "tables")
    shutil.copy(small_city / "sources.yaml", folder)
    return folder


@pytest.fixture
def key(tmp_path: Path) -> Path:
    KeyRing.from_seed(SEED).write(tmp_path / "key")
    return tmp_path / "key"


def test_the_new_folder_gives_the_same_people_under_new_pseudonyms(
    data: Path, key: Path, tmp_path: Path
) -> None:
    out, new_key = tmp_path / "new", tmp_path / "new.key"
    done = rotate_keys(data, out, key=key, new_key=new_key)
    old, new = KeyRing.read(key), KeyRing.read(new_key)
    before, after = (open_data(folder, keys=keys) for folder, keys in ((data, old), (out, new)))
    refs = before.tables["people"]["person_ref"].map(new.successor)
    assert after.tables["people"]["person_ref"].tolist() == refs.tolist()
    assert done.sealed == len(before.tables["identities"])
    assert done.fingerprint == new.fingerprint
    assert str(done.pseudonyms) in done.summary()
    sealed = after.tables["identities"].iloc[0]
    assert new.unseal(sealed["name_sealed"], "name", sealed["person_ref"])
    again = rotate_keys(out, tmp_path / "third", key=new_key, new_key=tmp_path / "third.key")
    assert again.pseudonyms == done.pseudonyms
    third = KeyRing.read(tmp_path / "third.key")
    people = open_data(tmp_path / "third", keys=third).tables["people"]["person_ref"]
    assert third.recognised(before.tables["people"]["person_ref"], set(people)) == dict(
        zip(before.tables["people"]["person_ref"], people, strict=True)
    )


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("plans", lambda frame: frame.iloc[1:], "plans.parquet：发现“读出的行数与原来不同”"),
        ("people", lambda frame: frame.assign(birth_year=1990), "表 people：发现“更换代号后与原来不同”"),
    ],
)
def test_a_new_folder_that_gives_anything_else_does_not_stand(
    data: Path,
    key: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    change: Callable[[pd.DataFrame], pd.DataFrame],
    told: str,
) -> None:
    def spoiled(source: Path, out: Path, rotation: Rotation) -> int:
        files = rotate_tree(source, out, rotation)
        path = out / "tables" / f"{name}.parquet"
        change(pd.read_parquet(path)).to_parquet(path, index=False)
        return files

    monkeypatch.setattr("huanjie_lib.access.rotation.rotate_tree", spoiled)
    before = set(tmp_path.iterdir())
    with pytest.raises(DataError, match=told):
        rotate_keys(data, tmp_path / "new", key=key, new_key=tmp_path / "new.key")
    assert set(tmp_path.iterdir()) == before


def test_a_key_file_is_never_overwritten(data: Path, key: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="密钥文件没有写入"):
        rotate_keys(data, tmp_path / "new", key=key, new_key=key)
    assert not (tmp_path / "new").exists()
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "a").touch()
    with pytest.raises(UsageError, match="文件夹不是空的"):
        rotate_keys(data, tmp_path / "new", key=key, new_key=tmp_path / "new.key")
