"""The ledgers of one run: alerts, what can be put right, audits, conflicts, and what closed cases regained.

They are drawn up from the same tables, parameters and date as index and gates, and lie beside them in the run
folder, so that screens and files of casework read them without the returns.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from huanjie_lib.casework.alerts import Alerts, find_alerts
from huanjie_lib.casework.amendments import Amended, amendments_in_force, apply_amendments
from huanjie_lib.casework.audit_ledger import AuditLedger, audit_ledger
from huanjie_lib.casework.conflict_ledger import ConflictLedger, conflict_ledger
from huanjie_lib.casework.rectifiable import rectifiable
from huanjie_lib.contracts import LEDGER_TABLES, RESTRICTED_LEDGERS
from huanjie_lib.parameters import ParameterSet
from huanjie_lib.risk.moment import Moment
from huanjie_lib.risk.prepared import Prepared, day_number
from huanjie_lib.risk.scoring import Scores
from huanjie_lib.risk.signals import Signals
from huanjie_lib.vocabulary import GateStatus, Level, SignalStatus, date_text

__all__ = [
    "LEDGER_TABLES",
    "RESTRICTED_LEDGERS",
    "Casework",
    "Ledgers",
    "Standing",
    "draw_up",
    "lay_over",
]

TOLD_GAIN = 0.05
"""Index points below which a change is not told."""


@dataclass(frozen=True)
class Casework:
    """What the ledger of cases brings to a run.

    Parameters
    ----------
    events
        Events as in the contract ``case_events``.
    sequence, head
        Number and hash of the last event: which state of the ledger the run took.
    """

    events: pd.DataFrame
    sequence: int
    head: str

    def __repr__(self) -> str:
        """Return the number of events and the head of the chain."""
        return f"Casework(events={len(self.events)}, sequence={self.sequence}, head={self.head[:12]!r})"


@dataclass(frozen=True)
class Ledgers:
    """All ledgers of one run.

    Parameters
    ----------
    alerts
        What opens cases.
    audit, conflict
        The two ledgers.
    frames
        Every table of :data:`LEDGER_TABLES` and :data:`RESTRICTED_LEDGERS` by name.
    as_of
        Date of the run.
    version
        Version of the parameters.
    """

    alerts: Alerts
    audit: AuditLedger
    conflict: ConflictLedger
    frames: Mapping[str, pd.DataFrame]
    as_of: dt.date
    version: str

    def __repr__(self) -> str:
        """Return the ledgers, one a line."""
        parts = (self.alerts, self.audit, self.conflict)
        return "Ledgers(\n" + "".join(f"  {part!r},\n" for part in parts) + ")"

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of what closed cases regained, by unit code."""
        return self.frames["regained_units"].set_index("unit_code")

    def explain(self, unit_code: str) -> str:
        """Return in Chinese what the closed cases of a unit have brought it.

        Raises
        ------
        KeyError
            If no closed case has changed a fact of the unit.
        """
        row = dict(self.to_frame().loc[unit_code])
        changes = self.frames["amendments"]
        mine = changes[changes["unit_code"] == unit_code]
        old, new = row["index_before"], row["index_after"]
        text = (
            f"截至{date_text(self.as_of)}，{unit_code}已销号的{mine['case_id'].nunique()}件案件"
            f"更正了{len(mine)}处数据，选情指数"
        )
        if abs(new - old) < TOLD_GAIN:
            text += f"仍为{new:.1f}分"
        else:
            text += f"由{old:.1f}分{'升' if new > old else '降'}至{new:.1f}分"
        if row["level_before"] != row["level_after"]:
            labels = Level.labels()
            text += f"，颜色由{labels[row['level_before']]}变为{labels[row['level_after']]}"
        if row["blocked_before"] != row["blocked_after"]:
            text += f"，未通过的准入条件由{row['blocked_before']}项变为{row['blocked_after']}项"
        return text + "。"


@dataclass(frozen=True)
class Standing:
    """Where the units stand on a date: index, level, points lost and gates.

    Parameters
    ----------
    index, level
        By unit code.
    scores
        The scores behind them.
    gates
        Result of :func:`~huanjie_lib.risk.gates.evaluate_gates`.
    """

    index: pd.Series[float]
    level: pd.Series[str]
    scores: Scores
    gates: pd.DataFrame


def lay_over(
    tables: Mapping[str, pd.DataFrame], prepared: Prepared, casework: Casework | None, as_of: dt.date
) -> Amended | None:
    """Return the tables with the amendments of closed cases laid over them.

    Parameters
    ----------
    tables, prepared
        Tables as they came in, and laid out.
    casework
        The ledger of cases; ``None`` where there is none, and then so is the result.
    as_of
        Date of the run.
    """
    if casework is None:
        return None
    codes = prepared.units["unit_code"].astype("str").tolist()
    heirs = {
        codes[place]: codes[heir]
        for place, heir in enumerate(prepared.heirs(day_number(as_of)).tolist())
        if heir != place
    }
    return apply_amendments(tables, amendments_in_force(casework.events, as_of), heirs)


def draw_up(
    tables: Mapping[str, pd.DataFrame],
    prepared: Prepared,
    parameters: ParameterSet,
    as_of: dt.date,
    *,
    index: pd.DataFrame,
    history: pd.DataFrame,
    gates: pd.DataFrame,
    units: pd.DataFrame,
    signals: Signals,
    since: dt.date | None = None,
    amended: Amended | None = None,
    before: Standing | None = None,
    after: Standing | None = None,
) -> Ledgers:
    """Draw up the ledgers of a run.

    Parameters
    ----------
    tables, prepared
        Tables as the run used them, amendments included.
    parameters, as_of
        Parameters and date.
    index, history, gates, units, signals
        What the run found.
    since
        Date of the last published run: alerts of a worse colour look back to it.
    amended
        What came of the amendments; ``None`` where the run took none.
    before, after
        Where the units would stand without the amendments, and with them; needed where there are any.

    Returns
    -------
    Ledgers
    """
    at = Moment(prepared, parameters, as_of)
    audit = audit_ledger(prepared, parameters, as_of)
    conflict = conflict_ledger(prepared, parameters, as_of)
    found = signals.to_frame()
    flags = found[found["status"] == SignalStatus.FLAGGED.value]
    alerts = find_alerts(
        index=index,
        history=history,
        gates=gates,
        units=units,
        tables=tables,
        signals=signals,
        parameters=parameters,
        as_of=as_of,
        since=since,
    )
    leads = alerts.frame["restricted"].astype("bool")
    applied, unplaced = _amendment_frames(amended)
    points, moved = _regained(applied, before, after)
    frames = {
        "alerts": alerts.frame[~leads].reset_index(drop=True),
        "alerts_left_out": alerts.left_out,
        "rectifiable": rectifiable(at, flags),
        "amendments": applied,
        "unplaced": unplaced,
        "regained": points,
        "regained_units": moved,
        "audit_units": audit.units,
        "audit_coverage": audit.coverage,
        "audit_items": audit.items,
        "audit_notices": audit.notices,
        "audit_problems": audit.problems,
        "handover": audit.handover,
        "conflict_units": conflict.units,
        "conflict_coverage": conflict.coverage,
        "disputes": conflict.disputes,
        "audit_members": audit.members,
        "talks": conflict.talks,
        "leavers": conflict.leavers,
        "restricted_alerts": alerts.frame[leads].reset_index(drop=True),
    }
    return Ledgers(alerts, audit, conflict, frames, as_of, parameters.version)


def _amendment_frames(amended: Amended | None) -> tuple[pd.DataFrame, pd.DataFrame]:
    if amended is None:
        nothing = pd.DataFrame(
            columns=["sequence", "case_id", "event", "happened_on", "payload"], dtype=object
        ).astype({"happened_on": "datetime64[us]"})
        amended = apply_amendments({}, amendments_in_force(nothing, dt.date.min))
    return amended.applied, amended.unplaced


def _regained(
    applied: pd.DataFrame, before: Standing | None, after: Standing | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the points that amendments moved by unit and indicator, and index, level and gates by unit."""
    if before is None or after is None or applied.empty:
        points = pd.DataFrame(
            {
                "unit_code": _texts(),
                "indicator": _texts(),
                "points_before": _floats(),
                "points_after": _floats(),
            }
        )
        moved = pd.DataFrame(
            {
                "unit_code": _texts(),
                "index_before": _floats(),
                "index_after": _floats(),
                "level_before": _texts(),
                "level_after": _texts(),
                "blocked_before": pd.Series(dtype="int64"),
                "blocked_after": pd.Series(dtype="int64"),
            }
        )
        return points, moved
    units = pd.Index(sorted(set(applied["unit_code"]) & set(after.index.index)), name="unit_code")
    old, new = (s.scores.points.reindex(units).stack() for s in (before, after))
    points = pd.DataFrame({"points_before": old, "points_after": new})
    points = points.rename_axis(["unit_code", "indicator"]).reset_index()
    points = points[(points["points_before"] - points["points_after"]).abs() > 1e-9]
    moved = pd.DataFrame(
        {
            "index_before": before.index.reindex(units),
            "index_after": after.index.reindex(units),
            "level_before": before.level.reindex(units).astype("str"),
            "level_after": after.level.reindex(units).astype("str"),
            "blocked_before": _blocked(before.gates, units),
            "blocked_after": _blocked(after.gates, units),
        }
    )
    return points.reset_index(drop=True), moved.reset_index()


def _blocked(gates: pd.DataFrame, units: pd.Index[str]) -> pd.Series[int]:
    """Return by unit how many gates do not pass."""
    closed = gates[gates["status"] != GateStatus.PASS.value]
    return closed["unit_code"].value_counts().reindex(units, fill_value=0).astype("int64")


def _texts() -> pd.Series[str]:
    return pd.Series(dtype="str")


def _floats() -> pd.Series[float]:
    return pd.Series(dtype="float64")
