"""The dated crosswalk (区划代码对照): from two lists of units to proposed changes of code, and their use.

A change is a renumbering (one old unit, one new), a merger (several old units, one new) or a split (one old
unit, several new). Proposals rest on names and, where both lists have them, boundaries; they are used only
once a person has confirmed them. What was counted for a unit that has been split is never shared out.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import polars as pl

from huanjie_lib.contracts import Column, table
from huanjie_lib.errors import DataError, Fault, UsageError
from huanjie_lib.intake.checks import Context, check
from huanjie_lib.intake.files import check_kind, has_geometry, read_table
from huanjie_lib.intake.headings import table_names
from huanjie_lib.intake.report import Issue, IssueLevel, write_csv
from huanjie_lib.intake.sandbox import Job, read_apart
from huanjie_lib.outputs import require_new_files
from huanjie_lib.vocabulary import CrosswalkKind

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = [
    "CrosswalkProposal",
    "Recoding",
    "confirm_crosswalk",
    "propose_crosswalk",
    "read_units",
    "recoding",
    "write_proposal",
]

_KIND_OF_UNIT = re.compile(r"(?:村民委员会|居民委员会|村委会|居委会|村|社区|生活区|管理区|虚拟)+$")
_PART = re.compile(r"(?:第?[0-9一二三四五六七八九十]+|东|西|南|北|中|上|下|前|后|新)$")
_WHOLE: Final = 0.9
_MOSTLY: Final = 0.5
_TOUCHING: Final = 0.01
_TOWNSHIP_MOVED: Final = 3
_COLUMNS: Final = (
    *("old_code", "new_code", "kind", "effective_on", "confirmed_by", "confirmed_on"),
    *("old_name", "new_name", "evidence"),
)


# ---------------------------------------------------------------- proposing


@dataclass(frozen=True)
class CrosswalkProposal:
    """What may have become of the units that one list has and the other has not.

    Parameters
    ----------
    effective_on
        First day of the new codes.
    rows
        Proposed rows: the columns of the ``crosswalk`` table, unconfirmed, with old_name, new_name and
        evidence; surest first.
    open
        What is left for a person: code, name, side (``old`` or ``new``) and why.
    lost, gained
        Number of codes that only the old list has, and only the new.
    """

    effective_on: dt.date
    rows: pd.DataFrame
    open: pd.DataFrame
    lost: int
    gained: int

    def __repr__(self) -> str:
        """Return the date, codes lost and gained, and the number of rows of each kind."""
        kinds = ", ".join(f"{k}={n}" for k, n in self.rows["kind"].value_counts().sort_index().items())
        return (
            f"CrosswalkProposal(effective_on={self.effective_on}, lost={self.lost}, gained={self.gained}, "
            f"{kinds or 'rows=0'}, open={len(self.open)})"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return the proposed rows."""
        return self.rows.copy()

    def explain(self, unit_code: str) -> str:
        """Return in Chinese what is proposed for an old or new code.

        Raises
        ------
        KeyError
            If nothing is known of the code: both lists have it, or neither.
        """
        mine = self.rows[(self.rows["old_code"] == unit_code) | (self.rows["new_code"] == unit_code)]
        if len(mine):
            labels = CrosswalkKind.labels()
            return "；".join(
                f"{r.old_name}（{r.old_code}）→ {r.new_name}（{r.new_code}），"
                f"建议为{labels[str(r.kind)]}：{r.evidence}"
                for r in mine.itertuples()
            )
        left = self.open[self.open["code"] == unit_code]
        if left.empty:
            raise KeyError(unit_code)
        return f"{left['name'].iloc[0]}（{unit_code}）：{left['why'].iloc[0]}"

    def summary(self) -> str:
        """Return the numbers as one Chinese sentence."""
        kinds = self.rows["kind"].value_counts()
        told = "、".join(f"{k.label} {kinds.get(k.value, 0)} 行" for k in CrosswalkKind)
        counted = f"旧名录停用 {self.lost} 个代码，新名录新增 {self.gained} 个"
        return f"{counted}；建议{told}，{len(self.open)} 个待人判断"


@dataclass(frozen=True, slots=True)
class _Unit:
    code: str
    name: str
    base: str


def propose_crosswalk(
    old: pd.DataFrame,
    new: pd.DataFrame,
    *,
    effective_on: dt.date,
    boundaries: Sequence[gpd.GeoDataFrame] = (),
) -> CrosswalkProposal:
    """Compare two lists of units and propose what became of codes that only one of them has.

    Parameters
    ----------
    old, new
        ``unit_code`` and ``unit_name`` of the units before and after.
    effective_on
        First day of the new codes.
    boundaries
        Boundaries before and after (``unit_code``, ``geometry``), or none.

    Notes
    -----
    A lost and a gained code are proposed as one unit *renumbered* where the name, or the name without 村委会
    and the like, stands exactly once among the lost and once among the gained codes: of the same township,
    else of a township of which at least three and most lost names reappear in one other (a township
    renumbered), else of the same county, else (whole names only) of the same prefecture. Parts of one name
    (石桥一村, 石桥二村) in one township that become one unit of that name are proposed as *merged*, a unit
    of which several such parts appear as *split*.

    With boundaries, old and new unit are one where nine tenths of the area of each lie in the other; an old
    unit is merged into the new one that holds nine tenths of it, and split into the new ones of which it
    holds nine tenths. Equal names whose areas hardly meet (less than half) are not proposed.

    Equal lists of rows in any order give equal proposals. Codes that both lists have are left alone, whatever
    their names, for they are in force.

    Examples
    --------
    >>> old = pd.DataFrame({"unit_code": ["990101001201", "990101001202", "990101001203"],
    ...                     "unit_name": ["上云村委会", "石桥一村委会", "石桥二村委会"]})
    >>> new = pd.DataFrame({"unit_code": ["990101001001", "990101001204"],
    ...                     "unit_name": ["上云社区居委会", "石桥村委会"]})
    >>> found = propose_crosswalk(old, new, effective_on=dt.date(2027, 1, 1))
    >>> found
    CrosswalkProposal(effective_on=2027-01-01, lost=3, gained=2, merge=2, renumber=1, open=0)
    >>> found.explain("990101001001").partition("，")[2]
    '建议为变更代码：同一镇街，名称相同，类别有变'
    """
    before, after = _units(old), _units(new)
    matching = _Matching(before, after, effective_on)
    if len(boundaries) == 2:
        matching.overlaps, matching.drawn = _overlaps(*boundaries)
        matching.by_area()
    matching.by_name()
    matching.by_parts()
    return matching.result()


def _units(frame: pd.DataFrame) -> dict[str, _Unit]:
    pairs = sorted(
        zip(frame["unit_code"].astype(str), frame["unit_name"].fillna("").astype(str), strict=True)
    )
    return {code: _Unit(code, name, _base(name)) for code, name in pairs}


def _base(name: str) -> str:
    """Return a name without what kind of unit it is."""
    plain = re.sub(r"\s", "", unicodedata.normalize("NFKC", name))
    return _KIND_OF_UNIT.sub("", plain) or plain


def _stem(base: str) -> str:
    """Return a name without its number or direction, itself where nothing of two characters would be left."""
    shorter = _PART.sub("", base)
    return shorter if len(shorter) >= 2 else base


class _Matching:
    """Lost and gained units, and what was proposed of them so far."""

    def __init__(
        self, before: Mapping[str, _Unit], after: Mapping[str, _Unit], effective_on: dt.date
    ) -> None:
        self.before, self.after, self.effective_on = before, after, effective_on
        self.lost = {c: u for c, u in before.items() if c not in after}
        self.gained = {c: u for c, u in after.items() if c not in before}
        self.counts = len(self.lost), len(self.gained)
        self.overlaps: dict[tuple[str, str], tuple[float, float]] | None = None
        self.drawn: set[str] = set()
        self.rows: list[tuple[str, str, CrosswalkKind, str]] = []
        self.apart: dict[str, str] = {}
        self.moved = self._moved_townships()

    def propose(self, old: str, new: str, kind: CrosswalkKind, evidence: str) -> None:
        self.rows.append((old, new, kind, evidence))

    def take(self, codes: Iterable[str]) -> None:
        """Leave out codes of which something has been proposed."""
        for code in codes:
            self.lost.pop(code, None)
            self.gained.pop(code, None)

    def _moved_townships(self) -> dict[str, str]:
        """Return townships of which most lost names reappear in one other of the same prefecture."""
        places: dict[tuple[str, str], list[str]] = defaultdict(list)
        for code, unit in self.gained.items():
            places[code[:4], unit.name].append(code[:9])
        votes: dict[str, Counter[str]] = defaultdict(Counter)
        size = Counter(code[:9] for code in self.lost)
        for code, unit in self.lost.items():
            found = places[code[:4], unit.name]
            if len(found) == 1 and found[0] != code[:9]:
                votes[code[:9]][found[0]] += 1
        moved = {}
        for township, count in votes.items():
            (target, most), *_ = sorted(count.items(), key=lambda item: (-item[1], item[0]))
            if most >= _TOWNSHIP_MOVED and 2 * most > size[township]:
                moved[township] = target
        return moved

    # ------------------------------------------------------------ names

    def by_name(self) -> None:
        def same(length: int) -> Callable[[str, bool], str]:
            return lambda code, _lost: code[:length]

        def moved(code: str, lost: bool) -> str:
            return self.moved.get(code[:9], "") if lost else code[:9]

        levels: tuple[tuple[Callable[[str, bool], str], str, str], ...] = (
            (same(9), "name", "同一镇街，名称相同"),
            (moved, "name", "所在镇街整体变更代码，名称相同"),
            (same(9), "base", "同一镇街，名称相同，类别有变"),
            (moved, "base", "所在镇街整体变更代码，名称相同，类别有变"),
            (same(6), "name", "同一县区，名称相同，镇街不同"),
            (same(6), "base", "同一县区，名称相同，类别有变，镇街不同"),
            (same(4), "name", "同一市，名称相同，县区不同"),
        )
        for scope, part, evidence in levels:
            old = self._grouped(self.lost, scope, part, lost=True)
            new = self._grouped(self.gained, scope, part)
            for key, codes in old.items():
                if len(codes) == 1 and len(new.get(key, ())) == 1:
                    self._one_to_one(codes[0], new[key][0], evidence)

    @staticmethod
    def _grouped(
        units: Mapping[str, _Unit], scope: Callable[[str, bool], str], part: str, *, lost: bool = False
    ) -> dict[tuple[str, str], list[str]]:
        groups: dict[tuple[str, str], list[str]] = defaultdict(list)
        for code, unit in units.items():
            place, text = scope(code, lost), getattr(unit, part)
            if place and text:
                groups[place, text].append(code)
        return groups

    def _one_to_one(self, old: str, new: str, evidence: str) -> None:
        share = self._shares(old, new)
        if share is not None and max(share) < _MOSTLY:
            meets = f"名称相同，但边界只有 {max(share):.0%} 重合"
            self.apart[old] = f"与{self.after[new].name}（{new}）{meets}"
            self.apart[new] = f"与{self.before[old].name}（{old}）{meets}"
            return
        told = ""
        if share is not None:
            told = f"；旧边界的 {share[0]:.0%} 在新边界内，新边界的 {share[1]:.0%} 在旧边界内"
        self.propose(old, new, CrosswalkKind.RENUMBER, evidence + told)
        self.take((old, new))

    def by_parts(self) -> None:
        """Propose mergers and splits from names that are parts of one name, within a township."""
        self._parts(self.lost, self.after, CrosswalkKind.MERGE, "同一镇街的{parts}并为{whole}")
        self._parts(self.gained, self.before, CrosswalkKind.SPLIT, "同一镇街的{whole}分为{parts}")

    def _parts(
        self, parts: Mapping[str, _Unit], wholes: Mapping[str, _Unit], kind: CrosswalkKind, told: str
    ) -> None:
        merging = kind is CrosswalkKind.MERGE
        groups: dict[tuple[str, str], list[str]] = defaultdict(list)
        for code, unit in parts.items():
            groups[code[:9], _stem(unit.base)].append(code)
        whole_of: dict[tuple[str, str], list[str]] = defaultdict(list)
        for code, unit in wholes.items():
            whole_of[code[:9], unit.base].append(code)
        for key, codes in groups.items():
            targets = (
                [c for c in whole_of.get(key, ()) if c in self.after] if merging else whole_of.get(key, [])
            )
            if len(codes) < 2 or len(targets) != 1 or not key[1]:
                continue
            whole = targets[0]
            kept = whole in self.before and whole in self.after
            if not kept and whole not in (self.gained if merging else self.lost):
                continue
            names = "、".join(parts[c].name for c in codes)
            evidence = told.format(parts=names, whole=wholes[whole].name) + "，名称相合"
            for code in [*codes, *([whole] if kept else [])]:
                old, new = (code, whole) if merging else (whole, code)
                self.propose(old, new, kind, evidence)
            self.take([*codes, whole])

    # ------------------------------------------------------------ areas

    def _shares(self, old: str, new: str) -> tuple[float, float] | None:
        """Return the shares of area in common; ``None`` where one of the two has no boundary."""
        if self.overlaps is None or old not in self.drawn or new not in self.drawn:
            return None
        return self.overlaps.get((old, new), (0.0, 0.0))

    def by_area(self) -> None:
        """Propose what boundaries say of lost and gained units."""
        rows = pd.DataFrame(
            [(*pair, *shares) for pair, shares in sorted((self.overlaps or {}).items())],
            columns=["old", "new", "of_old", "of_new"],
        )
        touched = rows["old"].isin(self.lost) | rows["new"].isin(self.gained)
        whole_old, whole_new = rows["of_old"] >= _WHOLE, rows["of_new"] >= _WHOLE
        for old, new, of_old, of_new in rows[touched & whole_old & whole_new].itertuples(index=False):
            if old in self.lost and new in self.gained:
                told = f"边界相同（旧边界的 {of_old:.0%} 在新边界内，新边界的 {of_new:.0%} 在旧边界内）"
                self.propose(old, new, CrosswalkKind.RENUMBER, told)
                self.take((old, new))
        self._by_holding(rows[touched & whole_old & ~whole_new], "new", CrosswalkKind.MERGE)
        self._by_holding(rows[touched & whole_new & ~whole_old], "old", CrosswalkKind.SPLIT)

    def _by_holding(self, rows: pd.DataFrame, whole: str, kind: CrosswalkKind) -> None:
        """Propose mergers and splits from areas of which at least two parts lie in one whole."""
        part, share = ("old", "of_old") if whole == "new" else ("new", "of_new")
        for code, mine in rows.groupby(whole, sort=True):
            parts = mine[mine[part].isin(self.before if part == "old" else self.after)]
            fresh = [c for c in parts[part] if c in (self.lost if part == "old" else self.gained)]
            if len(parts) < 2 or not fresh:
                continue
            for other, held in zip(parts[part], parts[share], strict=True):
                where = "在新边界内" if kind is CrosswalkKind.MERGE else "在旧边界内"
                old, new = (other, str(code)) if kind is CrosswalkKind.MERGE else (str(code), other)
                self.propose(old, new, kind, f"边界：{held:.0%} {where}")
            self.take([*parts[part], str(code)])

    # ------------------------------------------------------------ result

    def result(self) -> CrosswalkProposal:
        rows = pd.DataFrame(
            [
                {
                    "old_code": old,
                    "new_code": new,
                    "kind": kind.value,
                    "effective_on": pd.Timestamp(self.effective_on),
                    "confirmed_by": "",
                    "confirmed_on": pd.NaT,
                    "old_name": self.before[old].name,
                    "new_name": self.after[new].name,
                    "evidence": evidence,
                }
                for old, new, kind, evidence in self.rows
            ],
            columns=list(_COLUMNS),
        )
        left = [
            {"code": c, "name": u.name, "side": side, "why": self.apart.get(c) or self._why(u, others)}
            for side, units, others in (("old", self.lost, self.gained), ("new", self.gained, self.lost))
            for c, u in units.items()
        ]
        return CrosswalkProposal(
            self.effective_on, rows, pd.DataFrame(left, columns=["code", "name", "side", "why"]), *self.counts
        )

    @staticmethod
    def _why(unit: _Unit, others: Mapping[str, _Unit]) -> str:
        same = [c for c, o in others.items() if o.base == unit.base and c[:4] == unit.code[:4]]
        if len(same) == 1:
            return f"另有一个名称相近的单位（{same[0]}），县区或类别不同，不能断定"
        if same:
            return f"同名不止一个，不能断定：{'、'.join(same[:5])}{'等' if len(same) > 5 else ''}"
        return "另一份名录中没有同名的单位；可能是撤并、新设或更名"


def _overlaps(
    old: gpd.GeoDataFrame, new: gpd.GeoDataFrame
) -> tuple[dict[tuple[str, str], tuple[float, float]], set[str]]:
    """Return by pair of codes the shares of the old and the new area in common, and the codes with an area.

    Areas are taken in degrees: within one unit their scale hardly varies, so that shares come out as on the
    ground.
    """
    import shapely

    codes = [frame["unit_code"].astype(str).to_numpy() for frame in (old, new)]
    shapes = [frame.geometry.to_numpy() for frame in (old, new)]
    left, right = shapely.STRtree(shapes[1]).query(shapes[0], predicate="intersects")
    common = shapely.area(shapely.intersection(shapes[0][left], shapes[1][right]))
    of_old, of_new = common / shapely.area(shapes[0][left]), common / shapely.area(shapes[1][right])
    pairs = zip(codes[0][left], codes[1][right], of_old.tolist(), of_new.tolist(), strict=True)
    found = {(str(o), str(n)): (p, q) for o, n, p, q in pairs if max(p, q) >= _TOUCHING}
    return found, {str(c) for c in np.concatenate(codes)}


# ---------------------------------------------------------------- use


@dataclass(frozen=True)
class Recoding:
    """Which old codes are replaced by which, and why others are not.

    Parameters
    ----------
    codes
        Old code → code of the one unit in force that it leads to by confirmed rows.
    doubtful
        Other old codes → what to do, in Chinese.
    """

    codes: Mapping[str, str]
    doubtful: Mapping[str, str]


def recoding(rows: pl.DataFrame, units: Mapping[str, str]) -> Recoding:
    """Follow confirmed changes of code, in the order of their dates, to units in force.

    Parameters
    ----------
    rows
        Rows of the ``crosswalk`` table.
    units
        Name of each unit in force by code.

    Notes
    -----
    From the new code of a change only changes of the same day or later are followed, so that a code that was
    given to another unit in the meantime leads nowhere wrong. A code that changed on several days stood for
    several units: which one a row means is not guessed.

    Examples
    --------
    >>> rows = pl.DataFrame({"old_code": ["a", "b"], "new_code": ["b", "c"], "kind": ["renumber", "merge"],
    ...                      "effective_on": [dt.date(2023, 1, 1), dt.date(2025, 1, 1)],
    ...                      "confirmed_by": ["wang", "wang"], "confirmed_on": [dt.date(2025, 2, 1)] * 2})
    >>> recoding(rows, {"c": "石桥村"}).codes
    {'a': 'c', 'b': 'c'}
    """
    good = rows.filter(pl.col("confirmed_by").is_not_null() & pl.col("confirmed_on").is_not_null())
    changes: dict[str, dict[Any, set[str]]] = {}
    for old, new, day in good.select("old_code", "new_code", "effective_on").iter_rows():
        changes.setdefault(old, {}).setdefault(day, set()).add(new)
    codes: dict[str, str] = {}
    doubtful = dict.fromkeys(
        rows["old_code"].to_list(), "区划代码对照中有此旧代码，但尚未经人确认；确认后重新检查"
    )
    for old, days in changes.items():
        end, why = _followed(old, changes, units)
        if len(days) > 1:
            told = "、".join(f"{day:%Y-%m-%d}" for day in sorted(days))
            why = f"该旧代码先后于 {told} 变更，所指单位不止一个；按数据所属的日期逐行改填新代码"
        if why:
            doubtful[old] = why
        else:
            codes[old] = end
            del doubtful[old]
    return Recoding(codes, doubtful)


def _followed(
    old: str, changes: Mapping[str, Mapping[Any, Collection[str]]], units: Mapping[str, str]
) -> tuple[str, str]:
    """Return the unit in force that a code leads to, or why it leads to none."""
    day = min(changes[old])
    ends, seen = changes[old][day], {old}
    while True:
        if len(ends) > 1:
            named = "、".join(f"{units[c]}（{c}）" if c in units else c for c in sorted(ends))
            return "", (
                f"该旧代码已拆分为几个新代码：{named}；人数、金额等不能按比例分摊，须由拆分后的单位分别填报，逐行改填新代码"
            )
        (end,) = ends
        if end in units:
            return end, ""
        later = [d for d in sorted(changes.get(end, ())) if d >= day]
        if not later or end in seen:
            return "", "对照中的新代码不在村(社区)名录中；核对区划代码对照"
        seen.add(end)
        day, ends = later[0], changes[end][later[0]]


# ---------------------------------------------------------------- files


def read_units(path: Path) -> tuple[pd.DataFrame, gpd.GeoDataFrame | None]:
    """Read a list of units: codes and names, and boundaries where the file holds them.

    Raises
    ------
    DataError
        If the file cannot be read, or a code is missing, badly formed or stands there twice.
    """
    if not path.is_file():
        raise UsageError("没有这份名录", [Fault("名录", str(path), "已有的文件", "检查路径")])
    units: tuple[pd.DataFrame, gpd.GeoDataFrame | None] = read_apart(
        Job(path.name, partial(_list_of_units, path))
    )
    return units


def _list_of_units(path: Path) -> tuple[pd.DataFrame, gpd.GeoDataFrame | None]:
    """Read the file; runs in the worker."""
    check_kind(path, path.name)
    contract = table("units")
    batch, _ = read_table(path, path.name, contract, table_names(contract, frozenset()))
    wanted = ("unit_code", "unit_name")
    lacking = [contract.column(n) for n in wanted if n not in batch.raw.columns]
    if lacking:
        raise DataError("名录不能使用", [_lacking(path.name, column) for column in lacking])
    raw = batch.raw.select(pl.col(n).cast(pl.String).fill_null("").str.strip_chars() for n in wanted)
    code = contract.column("unit_code")
    bad = ~raw["unit_code"].str.contains(code.pattern or "") | raw["unit_code"].is_duplicated()
    if bad.any():
        places = batch.rows.filter(bad).head(20).to_list()
        found = raw["unit_code"].filter(bad).head(20).to_list()
        raise DataError(
            "名录不能使用",
            [
                Fault(f"{path.name} 第 {row} 行", text or "（空）", f"不重复的{code.allowed()}", "改正代码")
                for row, text in zip(places, found, strict=True)
            ],
        )
    frame = pd.DataFrame({n: raw[n].to_list() for n in wanted})
    if not has_geometry(path):
        return frame, None
    from huanjie_lib.intake.boundaries import read_boundaries

    areas, _ = read_boundaries(path, crs=None)
    return frame, areas[areas.geometry.notna() & areas["unit_code"].notna()]


def _lacking(file: str, column: Column) -> Fault:
    spellings = "或".join(f"“{t}”" for t in (column.label, *column.aliases))
    return Fault(file, f"缺少列“{column.label}”", f"列标题{spellings}", "补上这一列")


def write_proposal(proposal: CrosswalkProposal, out: Path) -> None:
    """Write the proposed rows as CSV for a person to confirm, and what is left open as a list beside it.

    Raises
    ------
    UsageError
        If a file is there already.
    """
    notes = out.with_suffix(".md")
    require_new_files([out, notes], refused="没有写出区划代码对照")
    labels = {c.name: c.label for c in table("crosswalk").columns}
    rows = proposal.rows.assign(
        kind=proposal.rows["kind"].map(CrosswalkKind.labels()),
        effective_on=proposal.rows["effective_on"].dt.strftime("%Y-%m-%d"),
        confirmed_on="",
        note=proposal.rows["old_name"] + " → " + proposal.rows["new_name"] + "；" + proposal.rows["evidence"],
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    write_csv(rows[[*labels, "note"]].rename(columns=labels | {"note": "说明"}), out)
    sides = {"old": "旧名录停用", "new": "新名录新增"}
    lines = [f"- {sides[str(r.side)]} {r.code} {r.name}：{r.why}" for r in proposal.open.itertuples()]
    head = f"# 待人判断的代码（{proposal.effective_on} 起）\n\n{proposal.summary()}。\n\n"
    notes.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")


def confirm_crosswalk(path: Path, *, account: str, on: dt.date, rows: Collection[int] | None = None) -> int:
    """Write into rows of a crosswalk who has confirmed them and when; return how many were confirmed anew.

    Parameters
    ----------
    path
        CSV file with the columns of the ``crosswalk`` table.
    account
        Who confirms.
    on
        When.
    rows
        Row numbers as a spreadsheet program shows them (the first below the headings is 2); all when omitted.

    Raises
    ------
    DataError
        If the file cannot be read, or a row to be confirmed is not as the table requires; nothing is written.
    UsageError
        If there is no such row, or the account is empty.
    """
    contract = table("crosswalk")
    if not account.strip():
        raise UsageError("没有写明由谁确认", [Fault("--by", "空", "确认人的账号", "补充账号")])
    if not path.is_file() or path.suffix.lower() != ".csv":
        raise UsageError("没有这份对照", [Fault("--file", str(path), "已有的 .csv 文件", "检查路径")])
    batch, _ = read_table(path, path.name, contract, table_names(contract, frozenset()))
    if batch.refused:
        raise DataError("区划代码对照不能确认", [issue.fault() for issue in batch.refused])
    numbers = batch.rows.to_list()
    missing = sorted(set(rows or ()) - set(numbers))
    if missing:
        span = f"{numbers[0]} 到 {numbers[-1]}" if numbers else "（没有数据行）"
        raise UsageError("没有这一行", [Fault("--rows", "、".join(map(str, missing)), span, "核对行号")])
    checked = check(contract, [batch], Context({}))
    chosen = set(numbers) if rows is None else set(rows)
    faults = [
        Issue(**{**line, "severity": IssueLevel.ERROR}).fault()
        for line in pl.concat(checked.issues).iter_rows(named=True)
        if line["severity"] == IssueLevel.ERROR.value and line["row"] in chosen
    ]
    if faults:
        raise DataError("区划代码对照不能确认", faults)
    return _stamped(path, chosen, account.strip(), on)


def _stamped(path: Path, chosen: Collection[int], account: str, on: dt.date) -> int:
    """Fill in who has confirmed and when where it is empty; every other cell stays as it stands."""
    frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", skip_blank_lines=False)
    names = table_names(table("crosswalk"), frozenset())
    columns = {h.name: c for c in frame.columns if (h := names.match(c)) is not None}
    for name in ("confirmed_by", "confirmed_on"):
        if name not in columns:
            columns[name] = table("crosswalk").column(name).label
            frame[columns[name]] = ""
    numbers = np.arange(2, len(frame) + 2)
    empty = frame[columns["confirmed_by"]].str.strip() == ""
    anew = empty & np.isin(numbers, sorted(chosen)) & (frame[columns["old_code"]].str.strip() != "")
    frame.loc[anew, columns["confirmed_by"]] = account
    frame.loc[anew, columns["confirmed_on"]] = on.isoformat()
    write_csv(frame, path)
    return int(anew.sum())
