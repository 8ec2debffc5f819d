"""Tables of a run: the one place that screens and files take their rows from.

Every function is pure: it takes a :class:`~huanjie_lib.store.run_folder.Run` and returns a new frame, and
changes nothing. Column names are English; :data:`huanjie_lib.views.words.LABELS` has their Chinese headings.

Rules that hold everywhere:

* the *previous snapshot* is the last one in ``history`` before the as-of date; a change is now minus then,
  and is missing where there is no previous snapshot or the unit was not in it;
* the index of a unit without any data is what the pack assumes; it enters no mean and no change;
* a unit is *admitted* (列入准入清单) when it passes every gate of the pack; a gate without a verdict counts
  as unknown. Where the pack has no gates nothing is admitted and nothing is refused;
* ties share the better place (1, 2, 2, 4), and rows that tie stand in order of their code.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from huanjie_lib.parameters import Gate
from huanjie_lib.store.run_folder import Run
from huanjie_lib.views.provenance import columns_text, deciding_cells
from huanjie_lib.views.words import (
    ADMISSION,
    CONTESTED,
    LEVELS,
    NAMELESS,
    number_text,
    present,
    source_text,
    with_names,
)
from huanjie_lib.vocabulary import GateStatus, Level, Topic, ValueStatus

__all__ = [
    "CONTESTED_CODE",
    "REASONS",
    "VERIFY_CODE",
    "admission_list",
    "admission_of",
    "blocked_list",
    "contested_flags",
    "flip_table",
    "freshness_table",
    "gate_progress",
    "gate_table",
    "gates_of",
    "hover_lines",
    "level_bytes",
    "losses_table",
    "map_units",
    "previous_snapshot",
    "remedy_table",
    "snapshots",
    "township_league",
    "trend",
    "unit_table",
    "working_list",
]

REASONS = 3
"""Reasons shown for a unit: its largest points lost."""

VERIFY_CODE = 4
"""Bit of :func:`level_bytes` that says 待核实."""

CONTESTED_CODE = 8
"""Bit of :func:`level_bytes` that says 颜色有争议."""

INCIDENT_SOURCES: Final = frozenset({"audit_problems", "disputes", "leads"})
"""Sources that record what has happened: a unit without a row has had nothing to report."""

_SHOWN_POINTS = 0.05
_REASON_COLUMNS = tuple(f"reason_{n}" for n in range(1, REASONS + 1))


def unit_table(run: Run) -> pd.DataFrame:
    """Return one row per unit, in the order of ``run.units``.

    Returns
    -------
    pandas.DataFrame
        unit_code, unit_name, unit_kind, township_code, township_name, county_name, level, mark, to_verify,
        contested (False where the run does not assess it), index, index_low, index_high, change, admission
        (a value of :class:`~huanjie_lib.vocabulary.GateStatus`, missing where the pack has no gates) and
        reason_1 to reason_3 (largest points lost with their reasons, empty where nothing more was lost).
    """
    return pd.concat([_units(run), _reasons(run)], axis=1)


def working_list(run: Run) -> pd.DataFrame:
    """Return the working list (选情工作清单): :func:`unit_table`, the most urgent first.

    Order: red, yellow, green, without data; within a level the lowest index first, then the code.
    """
    return _by_urgency(unit_table(run))


def admission_list(run: Run) -> pd.DataFrame:
    """Return the admission list (准入清单): units that pass all gates, by county, township and code.

    Columns are those of :func:`unit_table` up to ``change``. Empty where the pack has no gates.
    """
    frame = _units(run)
    return (
        frame.loc[frame["admission"] == GateStatus.PASS.value, :"change"]
        .sort_values("unit_code")
        .reset_index(drop=True)
    )


def blocked_list(run: Run) -> pd.DataFrame:
    """Return the units not admitted, the most urgent first, with reasons and what to do.

    Returns
    -------
    pandas.DataFrame
        unit_code, unit_name, unit_kind, township_name, county_name, level, mark, to_verify, contested, index,
        admission, failed_gates and unknown_gates (numbers of gates), reasons and remedies (one sentence per
        gate, joined by ；). Empty where the pack has no gates.
    """
    frame = _units(run)[
        [
            "unit_code",
            "unit_name",
            "unit_kind",
            "township_name",
            "county_name",
            "level",
            "mark",
            "to_verify",
            "contested",
            "index",
            "admission",
        ]
    ]
    frame = _by_urgency(frame[frame["admission"].isin([GateStatus.FAIL.value, GateStatus.UNKNOWN.value])])
    verdicts = gate_table(run)
    open_gates = verdicts[verdicts["status"] != GateStatus.PASS.value]
    said = open_gates["label"] + "：" + open_gates["reason"]
    by_unit = open_gates.assign(said=said).groupby("unit_code", sort=False)
    failed = open_gates["status"] == GateStatus.FAIL.value
    codes = frame["unit_code"]
    frame["failed_gates"] = (
        codes.map(open_gates.loc[failed, "unit_code"].value_counts()).fillna(0).astype(int)
    )
    frame["unknown_gates"] = (
        codes.map(open_gates.loc[~failed, "unit_code"].value_counts()).fillna(0).astype(int)
    )
    frame["reasons"] = codes.map(by_unit["said"].agg("；".join))
    frame["remedies"] = codes.map(by_unit["remedy"].agg("；".join))
    return frame


def gate_table(run: Run) -> pd.DataFrame:
    """Return every verdict with words: one row per unit and gate of the pack, in the order of both.

    Returns
    -------
    pandas.DataFrame
        unit_code, gate, label, status, reason, rule, remedy. A gate that the run holds no verdict of is
        unknown, with that as its reason.
    """
    gates = gates_of(run)
    grid = pd.MultiIndex.from_product([run.units["unit_code"], [g.id for g in gates]])
    grid.names = ["unit_code", "gate"]
    frame = run.gates.set_index(["unit_code", "gate"])[["status", "reason", "rule"]].reindex(grid)
    frame = frame.reset_index()
    absent = frame["status"].isna()
    frame.loc[absent, "status"] = GateStatus.UNKNOWN.value
    frame.loc[absent, "reason"] = "没有评估结果"
    named = {g.id: g for g in gates}
    frame["rule"] = frame["rule"].fillna(frame["gate"].map({i: g.rule for i, g in named.items()}))
    frame["remedy"] = frame["gate"].map({i: g.remedy for i, g in named.items()})
    frame.insert(2, "label", frame["gate"].map({i: g.label for i, g in named.items()}))
    return frame


def gate_progress(run: Run) -> pd.DataFrame:
    """Return the progress on each gate, in the order of the pack.

    Returns
    -------
    pandas.DataFrame
        gate (its Chinese label), passed, failed, unknown (numbers of units), share (passed of all, 0-1).
    """
    verdicts = gate_table(run)
    frame = pd.crosstab(verdicts["gate"], verdicts["status"])
    frame = frame.reindex(
        index=pd.Index([g.id for g in gates_of(run)]), columns=[s.value for s in GateStatus], fill_value=0
    )
    frame.columns = pd.Index(["passed", "failed", "unknown"])
    frame.insert(0, "gate", [g.label for g in gates_of(run)])
    frame["share"] = frame["passed"] / len(run.units)
    return frame.reset_index(drop=True)


def township_league(run: Run) -> pd.DataFrame:
    """Return the townships, the one most at risk first.

    Returns
    -------
    pandas.DataFrame
        rank (1 is the lowest mean index; equal means share a rank), township_code, township_name,
        county_name, units, red, yellow, green, unknown, to_verify, mean_index, change (mean change of the
        units that were there at the previous snapshot), admitted, admitted_share (0-1; missing where the
        pack has no gates). A township without any index stands last and has no rank.
    """
    frame = _units(run)
    league = _totals(
        frame.assign(admitted=frame["admission"] == GateStatus.PASS.value),
        "township_code",
        township_name=("township_name", "first"),
        county_name=("county_name", "first"),
        change=("change", "mean"),
        admitted=("admitted", "sum"),
    )
    share = league["admitted"] / league["units"]
    league["admitted_share"] = share if gates_of(run) else np.nan
    # Means that differ only by the order of summation are equal.
    league["rank"] = league["mean_index"].round(9).rank(method="min").astype("Int64")
    league = league.sort_values(["rank", "township_code"], na_position="last").reset_index(drop=True)
    return league[
        [
            "rank",
            "township_code",
            "township_name",
            "county_name",
            "units",
            *(level.value for level in LEVELS),
            "to_verify",
            "mean_index",
            "change",
            "admitted",
            "admitted_share",
        ]
    ]


def losses_table(run: Run) -> pd.DataFrame:
    """Return the points lost of every unit and indicator, with reason and source cell.

    Returns
    -------
    pandas.DataFrame
        unit_code, unit_name, township_name, county_name, dimension, indicator (Chinese labels), points,
        value (as shown, ``—`` where missing), status (Chinese), reason, data_date, source. Only what cost
        anything; units in the order of ``run.units``, the largest loss of each first.
    """
    framework = run.parameters.framework
    frame = _lost(run)
    shown = {i.id: i for i in framework.indicators}
    names = _units(run).set_index("unit_code")
    codes = frame["unit_code"]
    ids = frame["indicator"]
    return pd.DataFrame(
        {
            "unit_code": codes,
            "unit_name": codes.map(names["unit_name"]),
            "township_name": codes.map(names["township_name"]),
            "county_name": codes.map(names["county_name"]),
            "dimension": ids.map({i: framework.dimension_of(i).label for i in shown}),
            "indicator": ids.map({i: indicator.label for i, indicator in shown.items()}),
            "points": frame["points"],
            "value": [
                "—" if np.isnan(v) else shown[i].format(v)
                for i, v in zip(ids.tolist(), frame["value"].tolist(), strict=True)
            ],
            "status": frame["status"].map(ValueStatus.labels()),
            "reason": frame["reason"],
            "data_date": pd.to_datetime(frame["data_date"]),
            "source": _cells(run, frame),
        }
    ).reset_index(drop=True)


def _cells(run: Run, frame: pd.DataFrame) -> list[str]:
    """Return the row that decided each value, and the cells of it that were read."""
    read, metrics = deciding_cells(run.sources()), run.parameters.framework.metrics
    names = ["indicator", "source_table", "source_file", "source_sheet", "source_row"]
    told = []
    for indicator, table, file, sheet, row in frame[names].itertuples(index=False, name=None):
        place = source_text(file, sheet, row)
        key = (indicator, table, file, sheet if present(sheet) else "")
        cells = columns_text(table, read.get(key, []), int(row) if present(row) else None, metrics)
        told.append(f"{place}，{cells}" if place and cells else place)
    return told


def flip_table(run: Run) -> pd.DataFrame:
    """Return the units whose colour changed since the snapshot before, the most urgent first.

    Returns
    -------
    pandas.DataFrame
        unit_code, unit_name, township_name, county_name, from_level, level, index_before, index, change and
        flip_reason (a sentence).
    """
    frame = _named(run, run.flips.rename(columns={"to_level": "level"}))
    frame["flip_reason"] = _said(run, frame["unit_code"], Topic.FLIP)
    frame = frame[[*_PLACE, "from_level", "level", "index_before", "index", "change", "flip_reason"]]
    return _by_urgency(frame)


def remedy_table(run: Run) -> pd.DataFrame:
    """Return the cheapest way of every red and yellow unit to its next colour, the most urgent first.

    Returns
    -------
    pandas.DataFrame
        unit_code, unit_name, township_name, county_name, level, index, target (level), reachable,
        index_after, regained (points), steps (measures in order, with points), cost (team-days), days
        (working days) and open_gates. Empty where the pack has no measures library.
    """
    now = run.index[["unit_code", "level", "index"]]
    frame = _named(run, run.remedies.merge(now, on="unit_code"))
    steps = run.remedy_steps
    said = [
        f"（{order}）{label}，恢复{number_text(points)}分"
        for order, label, points in zip(steps["order"], steps["label"], steps["points"], strict=True)
    ]
    texts = pd.Series(said, dtype="str").groupby(steps["unit_code"].to_numpy()).agg("；".join)
    frame["steps"] = frame["unit_code"].map(texts).astype("str").fillna("")
    columns = ["level", "index", "target", "reachable", "index_after", "regained", "steps", "cost", "days"]
    return _by_urgency(frame[[*_PLACE, *columns, "open_gates"]])


_PLACE = ["unit_code", "unit_name", "township_name", "county_name"]


def _named(run: Run, frame: pd.DataFrame) -> pd.DataFrame:
    """Return rows of units with name and place of each."""
    return _units(run)[_PLACE].merge(frame, on="unit_code", how="inner")


def _said(run: Run, codes: pd.Series[str], topic: Topic) -> pd.Series[str]:
    """Return what the readings of a topic say of units, with names for codes."""
    mine = run.readings[run.readings["topic"] == topic.value].set_index("unit_code")["text"]
    names = dict(zip(run.units["unit_code"], _units(run)["unit_name"], strict=True))
    return pd.Series([with_names(str(mine.get(code, "")), names) for code in codes], codes.index, dtype="str")


def freshness_table(run: Run) -> pd.DataFrame:
    """Return the data check-up (数据体检), one row per source.

    Returns
    -------
    pandas.DataFrame
        label, latest_on, age_days, units_covered, units_total, covered_share (0-1). The last two are missing
        where no unit is due to report, as in :data:`INCIDENT_SOURCES`.
    """
    frame = run.freshness[["label", "latest_on", "age_days", "units_covered", "units_total"]].copy()
    frame["latest_on"] = pd.to_datetime(frame["latest_on"])
    due = ~run.freshness["source"].isin(INCIDENT_SOURCES)
    frame["units_total"] = frame["units_total"].astype("Int64").where(due)
    total = frame["units_total"].astype("float64")
    frame["covered_share"] = frame["units_covered"].astype(float) / total.where(total > 0)
    return frame.reset_index(drop=True)


def trend(run: Run) -> pd.DataFrame:
    """Return the counts by level at every snapshot up to the as-of date, oldest first.

    Returns
    -------
    pandas.DataFrame
        as_of, units, red, yellow, green, unknown, to_verify, mean_index.
    """
    return _totals(snapshots(run), "as_of")


def hover_lines(run: Run) -> tuple[tuple[str, ...], ...]:
    """Return what the map says of each unit: plain text lines, in the order of ``run.units``.

    Name and township; index with colour and, where it is open, 待核实 with the bounds, and where it is
    contested, 颜色有争议; largest points lost.
    The text is not HTML: whoever shows it must set it as text or escape it.
    """
    return _hover(unit_table(run))


def map_units(run: Run) -> pd.DataFrame:
    """Return what a map needs of each unit, in the order of ``run.units``.

    Returns
    -------
    pandas.DataFrame
        unit_code, level, to_verify, contested, lines (tuple of plain text), more (tuple of plain text:
        admission, code), group and group_name (township), longitude and latitude (where to draw a unit
        without a polygon; may be missing).
    """
    frame = unit_table(run)
    more = []
    for code, verdict in zip(frame["unit_code"], frame["admission"], strict=True):
        about = f"统计用区划代码 {code}"
        more.append((ADMISSION[verdict], about) if verdict in ADMISSION else (about,))
    return pd.DataFrame(
        {
            "unit_code": frame["unit_code"],
            "level": frame["level"],
            "to_verify": frame["to_verify"],
            "contested": frame["contested"],
            "lines": pd.Series(_hover(frame), dtype=object),
            "more": pd.Series(more, dtype=object),
            "group": frame["township_code"],
            "group_name": frame["township_name"],
            "longitude": run.units["longitude"].to_numpy(dtype=np.float64),
            "latitude": run.units["latitude"].to_numpy(dtype=np.float64),
        }
    )


def level_bytes(run: Run) -> bytes:
    """Return one byte per unit for the map, in the order of ``run.units``.

    The low two bits are :attr:`huanjie_lib.vocabulary.Level.code`; :data:`VERIFY_CODE` is set where missing
    data leave the colour open, :data:`CONTESTED_CODE` where it is contested.
    """
    frame = _units(run)
    codes = frame["level"].map({level.value: level.code for level in Level}).to_numpy(dtype=np.uint8)
    marks = np.where(frame["to_verify"], VERIFY_CODE, 0) | np.where(frame["contested"], CONTESTED_CODE, 0)
    return bytes(codes | marks.astype(np.uint8))


def contested_flags(units: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Return which units of a table have a contested colour; none where it has no such column.

    Examples
    --------
    >>> contested_flags(pd.DataFrame({"level": ["red", "green"]}))
    array([False, False])
    """
    if "contested" not in units.columns:
        return np.zeros(len(units), dtype=np.bool_)
    return units["contested"].to_numpy(dtype=np.bool_)


def gates_of(run: Run) -> tuple[Gate, ...]:
    """Return the gates of the run's pack; none where it has no gates."""
    return run.parameters.gates.gates if run.parameters.gates is not None else ()


def snapshots(run: Run) -> pd.DataFrame:
    """Return unit_code, as_of, index, level, to_verify: earlier ones from history, the last from index."""
    columns = ["unit_code", "as_of", "index", "level", "to_verify"]
    now = run.index[columns].assign(as_of=pd.Timestamp(run.as_of))
    history = run.history[columns].assign(as_of=pd.to_datetime(run.history["as_of"]))
    earlier = history[history["as_of"] < pd.Timestamp(run.as_of)]
    frame = pd.concat([earlier, now], ignore_index=True) if len(earlier) else now.reset_index(drop=True)
    return frame.assign(
        as_of=frame["as_of"].astype("datetime64[us]"),
        to_verify=frame["to_verify"].astype("boolean").fillna(False).astype(bool),
    )


def previous_snapshot(run: Run) -> pd.DataFrame:
    """Return the rows of the last snapshot before the as-of date; none where there is no such snapshot."""
    frame = snapshots(run)
    earlier = frame[frame["as_of"] < pd.Timestamp(run.as_of)]
    last: pd.DataFrame = earlier[earlier["as_of"] == earlier["as_of"].max()]
    return last


def admission_of(run: Run) -> pd.Series[str]:
    """Return the verdict of all gates together, in the order of ``run.units``; missing without gates."""
    gates = gates_of(run)
    if not gates:
        return pd.Series(pd.NA, index=run.units.index, dtype="str")
    unit = pd.Index(run.units["unit_code"]).get_indexer(pd.Index(run.gates["unit_code"]))
    status = run.gates["status"].to_numpy()
    size = len(run.units)
    passes = np.bincount(unit[(unit >= 0) & (status == GateStatus.PASS.value)], minlength=size)
    fails = np.bincount(unit[(unit >= 0) & (status == GateStatus.FAIL.value)], minlength=size)
    passed, failed = passes == len(gates), fails > 0
    verdict = np.where(passed, GateStatus.PASS, np.where(failed, GateStatus.FAIL, GateStatus.UNKNOWN))
    return pd.Series(verdict.astype(str), index=run.units.index, dtype="str")


def _units(run: Run) -> pd.DataFrame:
    """Return :func:`unit_table` without the reasons."""
    frame = run.units[
        ["unit_code", "unit_name", "unit_kind", "township_code", "township_name", "county_name"]
    ].reset_index(drop=True)
    frame["unit_name"] = frame["unit_name"].replace("", pd.NA).fillna(NAMELESS)
    frame["township_name"] = frame["township_name"].fillna(frame["township_code"])
    frame["county_name"] = frame["county_name"].fillna("")
    now = run.index.set_index("unit_code").reindex(frame["unit_code"])
    frame["level"] = now["level"].fillna(Level.UNKNOWN.value).to_numpy()
    frame["mark"] = frame["level"].map({level.value: level.mark for level in Level})
    frame["to_verify"] = now["to_verify"].astype("boolean").fillna(False).to_numpy(dtype=bool)
    doubts = run.uncertainty.set_index("unit_code")["contested"].reindex(frame["unit_code"])
    frame["contested"] = doubts.astype("boolean").fillna(False).to_numpy(dtype=bool)
    for column in ("index", "index_low", "index_high"):
        frame[column] = now[column].to_numpy(dtype=np.float64)
    then = previous_snapshot(run).set_index("unit_code")
    before = _scored(then).reindex(frame["unit_code"])
    frame["change"] = _scored(frame).to_numpy() - before.to_numpy(dtype=np.float64)
    frame["admission"] = admission_of(run).to_numpy()
    return frame


def _hover(frame: pd.DataFrame) -> tuple[tuple[str, ...], ...]:
    labels = Level.labels()
    lines = []
    for row in frame.to_dict("records"):
        index = f"选情指数 {number_text(row['index'])}　{labels[row['level']]}"
        if row["to_verify"]:
            index += f"　待核实（{number_text(row['index_low'])}～{number_text(row['index_high'])}）"
        if row["contested"]:
            index += f"　{CONTESTED}"
        reasons = [row[column] for column in _REASON_COLUMNS if row[column]]
        lines.append((f"{row['unit_name']}（{row['township_name']}）", index, *reasons))
    return tuple(lines)


def _totals(frame: pd.DataFrame, by: str, **more: tuple[str, str]) -> pd.DataFrame:
    """Return units, counts by level, to_verify and mean_index of each group, and what else is asked for."""
    levels = {level.value: frame["level"] == level.value for level in LEVELS}
    return (
        frame.assign(index=_scored(frame), **levels)
        .groupby(by)
        .agg(
            units=("unit_code", "size"),
            **{name: (name, "sum") for name in (*levels, "to_verify")},
            mean_index=("index", "mean"),
            **more,
        )
        .reset_index()
    )


def _scored(frame: pd.DataFrame) -> pd.Series[float]:
    """Return the index where it rests on any data at all."""
    return frame["index"].astype("float64").where(frame["level"] != Level.UNKNOWN.value)


def _by_urgency(frame: pd.DataFrame) -> pd.DataFrame:
    order = {level.value: place for place, level in enumerate(LEVELS)}
    return (
        frame.assign(place=frame["level"].map(order))
        .sort_values(["place", "index", "unit_code"])
        .drop(columns="place")
        .reset_index(drop=True)
    )


def _lost(run: Run) -> pd.DataFrame:
    """Return the indicators that cost points: units in order, each unit's largest loss first."""
    frame = run.indicators[run.indicators["points"] > 0]
    unit = pd.Index(run.units["unit_code"]).get_indexer(pd.Index(frame["unit_code"]))
    ids = pd.Index([i.id for i in run.parameters.framework.indicators])
    place = ids.get_indexer(pd.Index(frame["indicator"]))
    points = frame["points"].to_numpy(dtype=np.float64).round(9)  # equal losses stand in the pack's order
    order = np.lexsort((place, -points, unit))
    known: pd.DataFrame = frame.iloc[order[unit[order] >= 0]]
    return known


def _reasons(run: Run) -> pd.DataFrame:
    """Return reason_1 … reason_3 in the order of ``run.units``, empty where nothing more was lost."""
    frame = _lost(run)
    frame = frame[frame["points"] >= _SHOWN_POINTS]
    number = frame.groupby("unit_code", sort=False).cumcount() + 1
    top = frame.assign(number=number)[number <= REASONS]
    text = [f"{r}（扣{number_text(p)}分）" for r, p in zip(top["reason"], top["points"], strict=True)]
    wide = top.assign(text=text).pivot(index="unit_code", columns="number", values="text")
    wide = wide.reindex(index=run.units["unit_code"], columns=range(1, REASONS + 1)).reset_index(drop=True)
    return wide.set_axis(list(_REASON_COLUMNS), axis=1).astype("str").fillna("")
