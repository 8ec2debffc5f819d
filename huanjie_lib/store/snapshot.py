"""A snapshot: the part of a run that screens of a role may read, as a run folder of its own.

It holds the tables that the overview reads and nothing else: no ledger, nothing restricted, no quarantine, no
name of an input file. For leaders (``reader``) it holds no source cells either, and no small number of
persons: counts of an indicator that are too small are hidden, with enough others of the same township that
the sum over the township, which stands in other files, gives none away
(:func:`huanjie_lib.access.suppression.suppress`); both bear the same words, since telling one from the other
would undo it. A share of the candidates of a unit is hidden unless it is 0: their number stands beside it.
For accounts of some townships a snapshot holds the rows of their units alone.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from huanjie_lib.access.roles import require
from huanjie_lib.access.scope import SEES_RESTRICTED, ledgers_for
from huanjie_lib.access.suppression import SMALLEST, CountTable, suppress
from huanjie_lib.casework.events import Actor
from huanjie_lib.contracts import RESTRICTED_LEDGERS
from huanjie_lib.errors import DataError, Fault
from huanjie_lib.outputs import require_new_folder
from huanjie_lib.parameters import Framework
from huanjie_lib.store.manifest import MANIFEST, file_digest
from huanjie_lib.store.run_folder import (
    RUN_TABLES,
    Run,
    read_ledgers,
    read_manifest,
    read_run,
    write_run,
)
from huanjie_lib.vocabulary import Role

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["blurred", "part_of", "seen_by", "snapshot_role", "write_desk", "write_snapshot"]

_OF_PERSONS: Final = frozenset({"人", "人次", "名"})
"""Units of indicators that count persons."""
_AT_THE_DESK: Final = frozenset({"index", "units", "history"})
"""Tables that the screen of cases reads."""
_FEW: Final = re.compile(rf"(?<![\d.第,至])([1-{SMALLEST - 1}])(?=人次|名|人(?!均))")
_UNIT: Final = re.compile(r"(?<!\d)\d{12}(?!\d)")
_SOURCES: Final = ("source_file", "source_sheet", "source_row")
_BLURRED: Final = (
    ("gates", "reason"),
    ("indicators", "reason"),
    ("readings", "text"),
    ("remedy_steps", "label"),
)
_SHARES: Final[Mapping[str, str]] = {"review_adverse": "有人选被联审部门提出不同意意见"}
"""Shares of a few persons whose number is told beside them, and what is said of one that is not 0."""


def blurred(text: str) -> str:
    """Return a sentence without small numbers of persons.

    Examples
    --------
    >>> blurred("6名人选联审：缺18份部门意见，1名人选被提出不同意意见")
    '6名人选联审：缺18份部门意见，不足5名人选被提出不同意意见'
    >>> blurred("近24个月班子成员受处分2人次，约需10个工作日")
    '近24个月班子成员受处分不足5人次，约需10个工作日'
    """
    return _FEW.sub(f"不足{SMALLEST}", text).replace(f"只有不足{SMALLEST}", f"不足{SMALLEST}")


def snapshot_role(path: Path) -> Role | None:
    """Return the role that a run folder was cut out for; ``None`` for a whole run.

    Raises
    ------
    DataError
        If the folder does not hold a complete run of this format.
    """
    told = read_manifest(path).get("snapshot")
    return None if told is None else Role.lookup()[told["role"]]


def part_of(run: Run, scope: Sequence[str]) -> Run:
    """Return the part of a run that is about some units; readings that name any other unit are left out.

    Parameters
    ----------
    run
        The run.
    scope
        Beginnings of the unit codes that are kept; all units when empty.

    Raises
    ------
    DataError
        If no unit is in the scope.
    """
    mine = tuple(scope) or ("",)
    frames: dict[str, Any] = {
        name: frame[frame["unit_code"].str.startswith(mine)].reset_index(drop=True)
        for name in RUN_TABLES
        if "unit_code" in (frame := getattr(run, name))
    }
    if frames["units"].empty:
        fault = Fault(
            "管辖范围", "、".join(scope), "评估中有的区划代码前几位", "核对账号表中的 scope 或 --scope"
        )
        raise DataError("管辖范围内没有村（社区）", [fault])
    units, readings = set(frames["units"]["unit_code"]), frames["readings"]
    told = readings["text"].map(lambda text: set(_UNIT.findall(text)) <= units)
    frames["readings"] = readings[told.astype("bool")].reset_index(drop=True)
    return replace(run, **frames)


def seen_by(run: Run, role: Role) -> Run:
    """Return a run as a role may see it: for ``reader`` without source cells and small numbers of persons.

    Raises
    ------
    UsageError
        If the role may not read a run.
    """
    _require(role)
    if role is not Role.READER:
        return run
    frames = {name: getattr(run, name) for name in RUN_TABLES}
    return replace(run, **_suppressed(frames, run.parameters.framework))


def _require(role: Role) -> None:
    for name in RUN_TABLES:
        require(role, f"run/{name}", "risk")


def write_snapshot(source: Path, out: Path, *, role: Role, scope: Sequence[str] = ()) -> dict[str, Any]:
    """Write the part of a run that a role may see, and return its manifest.

    Parameters
    ----------
    source
        Folder written by ``huanjie run``.
    out
        New folder.
    role
        Whose it is; for ``reader`` sources are left out and small numbers of persons blurred.
    scope
        Beginnings of the unit codes that it holds; all units when empty.

    Raises
    ------
    DataError
        If the source is no run, is a snapshot for another role, or has no unit in the scope.
    UsageError
        If ``out`` holds something already, or the role may not read a run.
    """
    before = read_manifest(source).get("snapshot")
    if before is not None and before["role"] != role.value:
        found = f"给“{Role.lookup()[before['role']].label}”的快照"
        fault = Fault(str(source), found, "由 huanjie run 写出的评估文件夹", "改为完整的评估文件夹")
        raise DataError("不能从快照再制作别的快照", [fault])
    require_new_folder(out, refused="没有写出快照")
    _require(role)
    run = part_of(read_run(source), scope)
    if before is None:  # a part of what is suppressed already stays as it is
        run = seen_by(run, role)
    sources = run.sources()
    sources = sources[sources["unit_code"].isin(run.units["unit_code"])]
    boundaries = None
    if (source / "boundaries.parquet").exists():
        boundaries = run.boundaries().dropna(subset="geometry")
        boundaries = boundaries[boundaries["unit_code"].isin(run.units["unit_code"])]
    return _write_part(
        run,
        out,
        source,
        role=role,
        scope=scope,
        boundaries=boundaries,
        sources=None if role is Role.READER or sources.empty else sources,
    )


def write_desk(source: Path, out: Path, actor: Actor) -> dict[str, Any]:
    """Write what of a run the screen of cases shows an account, and return its manifest.

    It is a run folder with the index of the units of the area, now and before, and the ledgers that the role
    may read, cut to the area; every other table is empty. Ledgers by person are there for the roles alone
    that see them.

    Parameters
    ----------
    source
        Folder written by ``huanjie run``.
    out
        New folder.
    actor
        The account.

    Raises
    ------
    DataError
        If the source is no run with ledgers, or has no unit in the area.
    UsageError
        If the role may read no run, or no ledger.
    """
    _require(actor.role)
    run = part_of(read_run(source), actor.scope)
    none = {name: getattr(run, name).iloc[:0] for name in RUN_TABLES if name not in _AT_THE_DESK}
    return _write_part(
        replace(run, **none),
        out,
        source,
        role=actor.role,
        scope=actor.scope,
        ledgers=_ledgers_of(source, actor),
    )


def _write_part(
    part: Run,
    out: Path,
    source: Path,
    *,
    role: Role,
    scope: Sequence[str],
    boundaries: gpd.GeoDataFrame | None = None,
    sources: pd.DataFrame | None = None,
    ledgers: Mapping[str, pd.DataFrame] | None = None,
) -> dict[str, Any]:
    """Write a part of a run, and return its manifest: whose it is, and the run that it comes from."""
    whole = read_manifest(source)
    before = whole.get("snapshot")
    return write_run(
        part,
        out,
        boundaries=boundaries,
        sources=sources,
        signals=None,
        ledgers=ledgers,
        inputs=[],
        code_version=whole["code_version"],
        intake={},
        snapshot={
            "role": role.value,
            "scope": list(scope),
            "run_sha256": file_digest(source / MANIFEST) if before is None else before["run_sha256"],
        },
    )


def _ledgers_of(source: Path, actor: Actor) -> dict[str, pd.DataFrame]:
    """Return the ledgers as an account may see them, each where it lies; one it may not read has no rows."""
    restricted = actor.role in SEES_RESTRICTED
    apart = read_ledgers(source, restricted=True) if restricted else {}
    ledgers = {name: apart[name] for name in RESTRICTED_LEDGERS if restricted} | read_ledgers(source)
    mine = ledgers_for(ledgers, actor, restricted=restricted)
    return {name: mine.get(name, frame.iloc[:0]) for name, frame in ledgers.items()}


def _suppressed(frames: dict[str, Any], framework: Framework) -> dict[str, Any]:
    """Return the tables without source cells and small numbers of persons; points and colours stay."""
    frames = dict(frames)
    persons = {one.id: one.unit for one in framework.indicators if one.unit in _OF_PERSONS}
    indicators = frames["indicators"]
    shares = indicators["indicator"].isin(list(_SHARES)) & (indicators["value"] > 0)
    hidden = _hidden_counts(indicators, frames["units"], persons) | shares
    gone = {name: pd.Series(None, index=indicators.index, dtype=indicators[name].dtype) for name in _SOURCES}
    reasons = indicators["reason"].copy()
    for place, row in indicators[hidden].iterrows():
        told = _SHARES.get(row["indicator"]) or _uncounted(row, persons[row["indicator"]])
        reasons[place] = told
    frames["readings"] = _told_anew(frames["readings"], indicators[hidden], reasons[hidden])
    frames["indicators"] = indicators.assign(
        value=indicators["value"].mask(hidden), reason=reasons.astype(indicators["reason"].dtype), **gone
    )
    for name, column in _BLURRED:
        frames[name] = frames[name].assign(**{column: frames[name][column].map(blurred, na_action="ignore")})
    return frames


def _hidden_counts(
    indicators: pd.DataFrame, units: pd.DataFrame, persons: Collection[str]
) -> pd.Series[bool]:
    """Return which values count so few persons that they are hidden, or would give such a one away.

    Whoever looks may know the sum of an indicator over each township, and each value that is shown. A unit
    whose value is missing is in no sum.
    """
    hidden = pd.Series(data=False, index=indicators.index)
    counted = indicators[indicators["indicator"].isin(list(persons)) & indicators["value"].notna()]
    townships = counted["unit_code"].map(units.set_index("unit_code")["township_code"])
    for _, rows in counted.groupby([counted["indicator"], townships], sort=True):
        counts = rows[["unit_code"]].assign(count=rows["value"].round().astype("int64"))
        found = suppress(CountTable.of(counts, [["unit_code"]], "count"))
        of_unit = dict(zip((key[0] for key in found.table.keys), found.hidden, strict=True))
        hidden[rows.index] = rows["unit_code"].map(of_unit).astype("bool")
    return hidden


def _uncounted(row: pd.Series[Any], unit: str) -> str:
    """Return the reason of a count without the number."""
    what = "人次" if unit == "人次" else "人数"
    number = rf"(?:只有)?(?<![\d.]){row['value']:.0f}{unit}"
    return re.sub(number, f"（{what}不显示）", str(row["reason"]))


def _told_anew(readings: pd.DataFrame, hidden: pd.DataFrame, reasons: pd.Series[str]) -> pd.DataFrame:
    """Return readings that quote reasons without numbers in place of those with them."""
    instead: dict[str, list[tuple[str, str]]] = {}
    for unit, before, after in zip(hidden["unit_code"], hidden["reason"], reasons, strict=True):
        instead.setdefault(unit, []).append((before, after))

    def told(unit: str, text: str) -> str:
        for before, after in instead.get(unit, ()):
            text = text.replace(before, after)
        return text

    pairs = zip(readings["unit_code"], readings["text"], strict=True)
    texts = pd.Series([told(*pair) for pair in pairs], index=readings.index, dtype=readings["text"].dtype)
    return readings.assign(text=texts)
