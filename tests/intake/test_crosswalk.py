"""Changes of code are proposed with their evidence, confirmed by a person, and followed by their dates."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import polars as pl
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from huanjie_lib.errors import DataError, UsageError
from huanjie_lib.intake.crosswalk import (
    CrosswalkProposal,
    confirm_crosswalk,
    propose_crosswalk,
    read_units,
    recoding,
    write_proposal,
)

Lines = Callable[..., list[str]]
DAY = dt.date(2027, 1, 1)
A, B = "990101101201", "990101101202"
SCREENINGS = ["摸排编号", "统计用区划代码", "摸排日期", "摸排方式"]
NAMES = ["上云", "柳湾", "石桥", "青山", "白沙", "长坡", "大塘", "官渡", "金沟", "黄泥"]


def frame(*pairs: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame(pairs, columns=["unit_code", "unit_name"])


def pairs(found: CrosswalkProposal, kind: str) -> set[tuple[str, str]]:
    rows = found.rows[found.rows["kind"] == kind]
    return set(zip(rows["old_code"], rows["new_code"], strict=True))


def proposed(old: pd.DataFrame, new: pd.DataFrame, *areas: gpd.GeoDataFrame) -> CrosswalkProposal:
    return propose_crosswalk(old, new, effective_on=DAY, boundaries=areas)


def boxes(**spans: tuple[float, float]) -> gpd.GeoDataFrame:
    """Return areas on a strip of land, each from one longitude to another."""
    shapes = [shapely.box(115 + a / 100, 30, 115 + b / 100, 30.01) for a, b in spans.values()]
    return gpd.GeoDataFrame({"unit_code": [c.removeprefix("u") for c in spans]}, geometry=shapes, crs=4490)


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("old", "new", "evidence"),
    [
        (("990101101201", "上云村委会"), ("990101101230", "上云村委会"), "同一镇街，名称相同"),
        (("990101101201", "上云村委会"), ("990101101001", "上云社区居委会"), "同一镇街，名称相同，类别有变"),
        (("990101101201", "上云村委会"), ("990101102201", "上云村委会"), "同一县区，名称相同，镇街不同"),
        (("990101101201", "上云村委会"), ("990103102201", "上云村委会"), "同一市，名称相同，县区不同"),
    ],
)  # fmt: skip
def test_a_name_that_stands_once_is_a_new_number(old: Any, new: Any, evidence: str) -> None:
    found = proposed(frame(old), frame(new))
    assert pairs(found, "renumber") == {(old[0], new[0])}
    assert found.rows["evidence"].item() == evidence
    assert found.open.empty
    assert evidence in found.explain(old[0])


@pytest.mark.parametrize(
    ("new", "why"),
    [
        (("990201102201", "上云村委会"), "没有同名的单位"),  # another prefecture
        (("990103102001", "上云社区居委会"), "县区或类别不同，不能断定"),
        (("990101101230", "青山村委会"), "没有同名的单位"),
    ],
)
def test_what_is_less_is_left_to_a_person(new: tuple[str, str], why: str) -> None:
    found = proposed(frame((A, "上云村委会")), frame(new))
    assert found.rows.empty
    assert found.open["code"].tolist() == [A, new[0]]
    assert why in found.explain(A)
    with pytest.raises(KeyError):
        found.explain("990101101299")


def test_a_name_that_stands_twice_is_not_guessed() -> None:
    old = frame(("990101101201", "新华村"), ("990101102201", "新华村"))
    new = frame(("990101103201", "新华村"), ("990101104201", "新华村"))
    found = proposed(old, new)
    assert found.rows.empty
    assert found.open["why"].str.startswith("同名不止一个").all()


def test_a_township_that_was_renumbered_settles_names_that_stand_twice() -> None:
    names = ["上云村", "柳湾村", "石桥村", "新华村"]
    old = frame(*((f"9901011012{n:02}", name) for n, name in enumerate(names)), ("990101102201", "新华村"))
    new = frame(*((f"9901010032{n:02}", name) for n, name in enumerate(names)), ("990101104299", "新华村"))
    found = proposed(old, new)
    assert ("990101101203", "990101003203") in pairs(found, "renumber")
    assert ("990101102201", "990101104299") in pairs(found, "renumber")  # the only ones left
    assert found.rows["evidence"].str.startswith("所在镇街整体变更代码").sum() == 4


def test_parts_of_a_name_merge_and_split() -> None:
    old = frame(
        *(("990101101201", "石桥一村委会"), ("990101101202", "石桥二村委会"), ("990101101001", "金山社区")),
        *(("990101101203", "草桥村委会"), ("990101101204", "草桥东村委会"), ("990101101205", "草桥西村委会")),
    )
    new = frame(
        *(("990101101210", "石桥村委会"), ("990101101002", "金山第一社区"), ("990101101003", "金山第二社区")),
        ("990101101203", "草桥村委会"),
    )
    found = proposed(old, new)
    assert pairs(found, "merge") == {
        ("990101101201", "990101101210"),
        ("990101101202", "990101101210"),
        ("990101101203", "990101101203"),  # the code in force is one of those that merge
        ("990101101204", "990101101203"),
        ("990101101205", "990101101203"),
    }
    assert pairs(found, "split") == {("990101101001", "990101101002"), ("990101101001", "990101101003")}
    assert found.open.empty
    assert repr(found) == (
        "CrosswalkProposal(effective_on=2027-01-01, lost=5, gained=3, merge=5, split=2, open=0)"
    )


def test_codes_in_force_are_left_alone() -> None:
    found = proposed(frame((A, "上云村"), (B, "柳湾村")), frame((A, "柳湾村"), (B, "上云村")))
    assert found.rows.empty
    assert found.open.empty


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_what_was_done_to_a_town_is_found_again(seed: int) -> None:
    """Names within a county are unique here, so every change of number is found, and nothing else."""
    rng = np.random.default_rng(seed)
    names = [f"{a}{b}" for a in NAMES for b in "甲乙丙"]
    rng.shuffle(names)
    codes = [f"9901{n % 2 + 1:02}10{n % 3}2{n:02}" for n in range(len(names))]
    changed = rng.random(len(names)) < 0.4
    gone, fresh = rng.random(len(names)) < 0.1, rng.random(len(names)) < 0.1
    old = [(c, f"{n}村委会") for c, n, f in zip(codes, names, fresh, strict=True) if not f]
    new, truth = [], set()
    for code, name, is_changed, is_gone, is_fresh in zip(codes, names, changed, gone, fresh, strict=True):
        if is_gone:
            continue
        target = f"{code[:9]}{int(code[9:]) + 200}" if is_changed else code
        new.append((target, f"{name}{rng.choice(['村委会', '社区居委会'])}"))
        if is_changed and not is_fresh:
            truth.add((code, target))
    found = proposed(frame(*rng.permutation(old).tolist()), frame(*rng.permutation(new).tolist()))
    assert pairs(found, "renumber") == truth
    assert set(found.rows["kind"]) <= {"renumber"}
    left = {c for c, _ in old} ^ {c for c, _ in new}
    assert left == {c for pair in truth for c in pair} | set(found.open["code"])
    again = proposed(frame(*old), frame(*new))
    pd.testing.assert_frame_equal(found.rows, again.rows)


# ---------------------------------------------------------------- areas


def test_boundaries_find_what_names_do_not() -> None:
    old = frame((A, "上云村"), (B, "柳湾村"), ("990101101203", "石桥村"), ("990101101204", "青山村"))
    new = frame(
        ("990101101210", "新村"), ("990101101211", "合村"), ("990101101212", "甲村"), ("990101101213", "乙村")
    )
    before = boxes(**{f"u{A}": (0, 2), f"u{B}": (2, 3), "u990101101203": (3, 4), "u990101101204": (4, 8)})
    after = boxes(
        u990101101210=(0, 2.02), u990101101211=(2.02, 4), u990101101212=(4, 6), u990101101213=(6, 8)
    )
    found = proposed(old, new, before, after)
    assert pairs(found, "renumber") == {(A, "990101101210")}
    assert pairs(found, "merge") == {(B, "990101101211"), ("990101101203", "990101101211")}
    assert pairs(found, "split") == {("990101101204", "990101101212"), ("990101101204", "990101101213")}
    assert found.explain(A).endswith("边界相同（旧边界的 100% 在新边界内，新边界的 99% 在旧边界内）")


def test_equal_names_far_apart_are_not_one() -> None:
    old, new = frame((A, "新华村")), frame((B, "新华村"))
    apart = proposed(old, new, boxes(**{f"u{A}": (0, 1)}), boxes(**{f"u{B}": (5, 6)}))
    assert apart.rows.empty
    assert "边界只有 0% 重合" in apart.explain(A)
    near = proposed(old, new, boxes(**{f"u{A}": (0, 1)}), boxes(**{f"u{B}": (0.3, 1.2)}))
    assert pairs(near, "renumber") == {(A, B)}
    assert "旧边界的 70% 在新边界内" in near.explain(A)
    unknown = proposed(old, new, boxes(**{f"u{A}": (0, 1)}), boxes(u990101101999=(0, 1)))
    assert pairs(unknown, "renumber") == {(A, B)}  # without a boundary the name decides


# ---------------------------------------------------------------- use


def changes(*rows: tuple[str, str, str, int], confirmed: bool = True) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "old_code": [r[0] for r in rows],
            "new_code": [r[1] for r in rows],
            "kind": [r[2] for r in rows],
            "effective_on": [dt.datetime(r[3], 1, 1) for r in rows],
            "confirmed_by": ["wang" if confirmed else None] * len(rows),
            "confirmed_on": [dt.datetime(2026, 1, 1) if confirmed else None] * len(rows),
        }
    )


def test_chains_over_several_years() -> None:
    rows = changes(
        ("a", "b", "renumber", 2021),
        ("b", "c", "merge", 2023),
        ("x", "c", "merge", 2023),
        ("c", "d", "renumber", 2025),
    )
    found = recoding(rows, {"d": "石桥村"})
    assert found.codes == dict.fromkeys("abxc", "d")
    assert found.doubtful == {}


def test_a_code_given_to_another_unit_later_does_not_lead_there() -> None:
    # b was the code of one unit until 2021; from 2023 on it is the code of what had been a
    rows = changes(("b", "p", "renumber", 2021), ("a", "b", "renumber", 2023), ("b", "q", "renumber", 2025))
    found = recoding(rows, {"p": "上云村", "q": "柳湾村"})
    assert found.codes == {"a": "q"}
    assert found.doubtful["b"].startswith("该旧代码先后于 2021-01-01、2025-01-01 变更")


def test_splits_are_refused_with_the_remedy_even_behind_a_chain() -> None:
    rows = changes(("a", "b", "renumber", 2021), ("b", "p", "split", 2023), ("b", "q", "split", 2023))
    found = recoding(rows, {"p": "上云村", "q": "柳湾村"})
    assert found.codes == {}
    for code in "ab":
        assert (
            "已拆分为几个新代码：上云村（p）、柳湾村（q）；人数、金额等不能按比例分摊" in found.doubtful[code]
        )


def test_nothing_unconfirmed_circular_or_leading_nowhere_is_used() -> None:
    assert recoding(changes(("a", "p", "renumber", 2021), confirmed=False), {"p": "村"}).codes == {}
    circle = recoding(changes(("a", "b", "renumber", 2021), ("b", "a", "renumber", 2021)), {"p": "村"})
    nowhere = recoding(changes(("a", "b", "renumber", 2021)), {"p": "村"})
    back = recoding(changes(("a", "b", "renumber", 2023), ("b", "p", "renumber", 2021)), {"p": "村"})
    for found, codes in ((circle, "ab"), (nowhere, "a"), (back, "a")):
        assert all("新代码不在村(社区)名录中" in found.doubtful[c] for c in codes)


# ---------------------------------------------------------------- files


def test_from_two_lists_to_a_crosswalk_that_intake_uses(folder: Any, lines: Lines) -> None:
    old = folder.csv("old.csv", [["区划代码", "名称"], ["990101101231", "上云村"], ["990101101232", "远村"]])
    new, _ = read_units(folder.path / "tables" / "units.csv")
    before, areas = read_units(old)
    old.unlink()
    assert areas is None
    (folder.path / "tables" / "crosswalk.csv").unlink()
    out = folder.path / "tables" / "crosswalk.2026.csv"
    write_proposal(propose_crosswalk(before, new, effective_on=dt.date(2026, 1, 1)), out)
    assert "旧名录停用 990101101232 远村" in out.with_suffix(".md").read_text(encoding="utf-8")
    folder.csv("tables/screenings.csv", [SCREENINGS, ["S1", "990101101231", "2026-10-01", "走访"]])
    assert any("尚未经人确认" in e for e in lines(folder.read(), "error"))
    assert confirm_crosswalk(out, account="wang", on=dt.date(2026, 11, 5), rows={2}) == 1
    assert confirm_crosswalk(out, account="li", on=dt.date(2026, 11, 6)) == 0  # the first name stands
    intake = folder.read()
    assert intake.tables["screenings"]["unit_code"].tolist() == [A]
    assert intake.tables["crosswalk"]["confirmed_by"].tolist() == ["wang"]
    assert lines(intake, "error") == []
    assert not any("不认得的列" in w for w in lines(intake, "warning"))


def test_a_row_with_a_fault_is_not_confirmed(tmp_path: Path) -> None:
    path = tmp_path / "crosswalk.csv"
    text = f"旧代码,新代码,变更类型,生效日期\n{A},{B},变更代码,2026-01-01\n{A},9901,合并,2026-13-01\n"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        confirm_crosswalk(path, account="wang", on=DAY)
    assert {f.where for f in caught.value.faults} == {
        "crosswalk.csv 第 3 行“新代码”",
        "crosswalk.csv 第 3 行“生效日期”",
    }
    assert path.read_text(encoding="utf-8") == text
    assert confirm_crosswalk(path, account="wang", on=DAY, rows={2}) == 1
    for change, told in (({"rows": {9}}, "没有这一行"), ({"account": " "}, "没有写明由谁确认")):
        with pytest.raises(UsageError, match=told):
            confirm_crosswalk(path, **({"account": "wang", "on": DAY} | change))


def test_lists_that_cannot_be_compared(tmp_path: Path) -> None:
    path = tmp_path / "units.csv"
    path.write_text(f"区划代码,名称\n{A},上云村\n{A},柳湾村\n9901,石桥村\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_units(path)
    assert [f.where for f in caught.value.faults] == [f"units.csv 第 {n} 行" for n in (2, 3, 4)]
    path.write_text("名称\n上云村\n", encoding="utf-8")
    with pytest.raises(DataError, match="缺少列“统计用区划代码”"):
        read_units(path)
    with pytest.raises(UsageError, match="没有这份名录"):
        read_units(tmp_path / "nowhere.csv")


def test_a_proposal_overwrites_nothing(tmp_path: Path) -> None:
    found = proposed(frame((A, "上云村")), frame((B, "上云村")))
    write_proposal(found, tmp_path / "crosswalk.csv")
    with pytest.raises(UsageError, match="不覆盖"):
        write_proposal(found, tmp_path / "crosswalk.csv")


def test_lists_with_boundaries_are_read_with_them(tmp_path: Path) -> None:
    areas = boxes(**{f"u{A}": (0, 1), f"u{B}": (1, 2)}).assign(unit_name=["上云村", "柳湾村"])
    areas.to_file(tmp_path / "units.gpkg")
    frame_read, read = read_units(tmp_path / "units.gpkg")
    assert frame_read["unit_name"].tolist() == ["上云村", "柳湾村"]
    assert read is not None
    assert read["unit_code"].tolist() == [A, B]
    (tmp_path / "fake.gpkg").write_bytes(b"not a map")
    with pytest.raises(DataError, match=r"内容不是 \.gpkg 文件"):
        read_units(tmp_path / "fake.gpkg")
