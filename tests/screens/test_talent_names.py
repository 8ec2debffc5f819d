"""Kernels are given masked names and no key; roles that see no names get pseudonyms."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from huanjie_lib.access.keys import KeyRing, SealError
from huanjie_lib.screens.talent_names import Names, write_names
from huanjie_lib.vocabulary import Role
from tests.talent_runs import KEYS, NAMES, NUMBERS, OUYANG, ZHANG, talent_folder


@pytest.fixture
def key(tmp_path: Path) -> Path:
    KEYS.write(tmp_path / "key.json")
    return tmp_path / "key.json"


def test_names_are_masked_for_those_who_decide(tmp_path: Path, key: Path) -> None:
    out = tmp_path / "names.parquet"
    write_names(talent_folder(tmp_path / "t"), key, out, role=Role.TALENT)
    names = Names(out)
    assert names.masked
    assert names.of([ZHANG, OUYANG, "P0"]) == {ZHANG: "张*三", OUYANG: "欧阳**", "P0": "P0"}
    content = out.read_bytes()
    assert not any(name.encode() in content for name in NAMES.values())


def test_other_roles_get_pseudonyms(tmp_path: Path, key: Path) -> None:
    out = tmp_path / "names.parquet"
    write_names(talent_folder(tmp_path / "t"), key, out, role=Role.READER)
    assert Names(out).of([ZHANG]) == {ZHANG: ZHANG}


def test_people_are_recognised_under_pseudonyms_of_keys_that_were_replaced(tmp_path: Path) -> None:
    new = KEYS.rotated()
    new.write(tmp_path / "new.json")
    run = talent_folder(tmp_path / "t")
    earlier = KEYS.pseudonym("person", NUMBERS[0])
    now = new.pseudonym("person", NUMBERS[0])
    row = {"name_sealed": [new.seal("张大三", "name", now)], "id_sealed": ["x"]}
    pd.DataFrame({"person_ref": [now]} | row).to_parquet(tmp_path / "t" / "sealed" / "identities.parquet")
    out = tmp_path / "names.parquet"
    write_names(run, tmp_path / "new.json", out, role=Role.TALENT, decided={earlier, now, "P0"})
    asked = [earlier, now, "P0"]
    assert Names(out).of(asked) == {earlier: "张*三", now: "张*三", "P0": "P0"}
    assert Names(out).current(asked) == {earlier: now, now: now, "P0": "P0"}


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    KeyRing.from_seed(2).write(tmp_path / "other.json")
    with pytest.raises(SealError) as caught:
        write_names(talent_folder(tmp_path / "t"), tmp_path / "other.json", tmp_path / "n", role=Role.CITY)
    assert "张" not in str(caught.value)
    assert not (tmp_path / "n").exists()


def test_without_a_file_people_go_by_pseudonyms() -> None:
    assert not Names(None).masked
    assert Names(None).of([]) == {}
    assert Names(None).current(["PA"]) == {"PA": "PA"}
