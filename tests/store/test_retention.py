"""What is due goes into no new folder, the access log has it first, and the old folder stays."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from huanjie_lib.access.retention import Due, due
from huanjie_lib.errors import DataError, TransitionError, UsageError
from huanjie_lib.parameters import load_privacy
from huanjie_lib.store.ledger import Ledger, open_ledger
from huanjie_lib.store.retention import forms_in, held_tables, write_kept
from tests.offices import CITY

DAY = dt.date(2031, 1, 1)
REASON = "保存期限已到，经办公室批准"


@pytest.fixture
def found(small_city: Path) -> Due:
    return due(held_tables(small_city), load_privacy(), as_of=DAY)


@pytest.fixture
def own(tmp_path: Path) -> Ledger:
    return open_ledger(tmp_path / "store", create=True)


def test_a_new_folder_is_without_what_is_due_and_the_log_says_so(
    small_city: Path, tmp_path: Path, found: Due, own: Ledger
) -> None:
    before = held_tables(small_city)
    out = tmp_path / "kept"
    done = write_kept(small_city, out, found, ledger=own, actor=CITY, reason=REASON)
    after = held_tables(out)
    whole = set(found.frame.loc[found.frame["row"].eq(0) & found.frame["table"].eq("people"), "person_ref"])
    assert whole
    assert not whole & set(after["people"]["person_ref"])
    assert not whole & set(after["identities"]["person_ref"])
    assert done.removed == {
        n: len(before[n]) - len(after[n]) for n in before if len(before[n]) > len(after[n])
    }
    assert due(after, load_privacy(), as_of=DAY).frame.empty
    log = own.access_log()
    assert done.entries == len(log) == len(found.frame.groupby(["term", "person_ref"]))
    assert set(log["action"]) == {"delete"}
    assert set(log["reason"]) == {REASON}
    assert log["items"].sum() >= sum(done.removed.values())
    for name in done.removed:
        place = Path("tables") / f"{name}.parquet"
        assert pq.read_schema(out / place).equals(pq.read_schema(small_city / place))
    untouched = Path("tables") / "units.parquet"
    assert (out / untouched).read_bytes() == (small_city / untouched).read_bytes()
    for name, frame in held_tables(small_city).items():
        pd.testing.assert_frame_equal(frame, before[name])
    again = write_kept(small_city, tmp_path / "again", found, ledger=own, actor=CITY, reason=REASON)
    assert (again.entries, len(own.access_log())) == (done.entries, len(log))


def test_without_a_good_reason_nothing_is_written(
    small_city: Path, tmp_path: Path, found: Due, own: Ledger
) -> None:
    with pytest.raises(TransitionError, match="没有到期删除"):
        write_kept(small_city, tmp_path / "kept", found, ledger=own, actor=CITY, reason="删")
    assert own.access_log().empty
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store"]


def test_a_folder_that_is_there_or_lies_within_is_refused(
    small_city: Path, tmp_path: Path, found: Due, own: Ledger
) -> None:
    (tmp_path / "kept").mkdir()
    for out in (tmp_path / "kept", small_city / "kept"):
        with pytest.raises(UsageError, match="没有写出新的数据文件夹"):
            write_kept(small_city, out, found, ledger=own, actor=CITY, reason=REASON)
    nothing = due({}, load_privacy(), as_of=DAY)
    with pytest.raises(UsageError, match="到期的数据：发现“没有”"):
        write_kept(small_city, tmp_path / "new", nothing, ledger=own, actor=CITY, reason=REASON)


def test_what_is_no_data_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="没有 tables 文件夹"):
        held_tables(tmp_path)
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "people.parquet").write_bytes(b"x")
    with pytest.raises(DataError, match=r"people\.parquet：发现“不能读取”"):
        held_tables(tmp_path)
    pd.DataFrame({"person_ref": ["P1"]}).to_parquet(tmp_path / "tables" / "people.parquet")
    with pytest.raises(DataError, match="缺少列"):
        held_tables(tmp_path)


def test_forms_that_name_people_are_listed(tmp_path: Path) -> None:
    place = tmp_path / "returns" / "云溪镇"
    place.mkdir(parents=True)
    for name in ("人才登记表.xlsx", "审计台账.xlsx"):
        (place / name).write_bytes(b"")
    assert forms_in(tmp_path) == ["returns/云溪镇/人才登记表.xlsx"]
    assert forms_in(tmp_path / "nowhere") == []
