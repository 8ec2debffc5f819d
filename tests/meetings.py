"""A whole meeting of a small city: run, ledgers, cases, the last meeting's run and a backtest; made once."""

from __future__ import annotations

import atexit
import dataclasses
import datetime as dt
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from huanjie_lib.casework.alerts import opening_actions
from huanjie_lib.casework.events import Action, Actor
from huanjie_lib.exports.briefing import Briefing, briefing_of
from huanjie_lib.exports.casework import CaseworkSeen, casework_seen
from huanjie_lib.exports.meeting import MEETING_FORMATS, export_meeting
from huanjie_lib.parameters import load_parameters
from huanjie_lib.pipeline import RiskResult, run_risk
from huanjie_lib.risk.backtest import Scorecard, backtest
from huanjie_lib.sample import City, make_city
from huanjie_lib.store.ledger import open_ledger
from huanjie_lib.store.run_folder import Run, read_run, write_run
from huanjie_lib.views.meeting import Backtest, Meeting, meeting_of
from huanjie_lib.views.stamp import Stamp
from huanjie_lib.vocabulary import CaseEvent, Role
from huanjie_lib.workbench import as_run

LAST = dt.date(2026, 9, 30)
STAMP = Stamp("chen", "市换届办", Role.CITY, "换届工作会议", dt.date(2026, 11, 2))
OFFICE = Actor("chen", "市换届办", Role.CITY)


@cache
def city() -> City:
    """Return a city of 60 units with three snapshots."""
    return make_city(units=60, snapshots=3)


@cache
def result() -> RiskResult:
    """Return the run of the city."""
    return run_risk(city().tables, load_parameters(), as_of=city().as_of)


@cache
def whole_run() -> Run:
    """Return the run as it is written, with its ledgers and boundaries, read from its folder."""
    folder = tempfile.TemporaryDirectory(prefix="huanjie-")
    atexit.register(folder.cleanup)
    write_run(
        as_run(result()),
        Path(folder.name),
        boundaries=city().geometry,
        signals=None,
        ledgers=result().ledgers.frames,
        inputs=[{"path": "facts.csv", "sha256": "0" * 64, "bytes": 1}],
        code_version="0",
        intake={},
    )
    return read_run(Path(folder.name))


@cache
def last_run() -> Run:
    """Return the run of the meeting before."""
    return as_run(run_risk(city().tables, load_parameters(), as_of=LAST))


@cache
def card() -> Scorecard:
    """Return a backtest of made-up terms."""
    rng = np.random.default_rng(2)
    names = [f"{c}县{t}镇{n:02d}村" for c in "甲乙丙丁戊己" for t in "东西" for n in range(30)]
    before = pd.DataFrame({"u": names, "t": 2018, "x": rng.random(360)})
    after = pd.DataFrame({"u": names, "t": 2021, "y": rng.random(360) < 0.6 * before["x"]})
    models = ["equal_weights", "logistic"]
    return backtest(before, after, unit="u", term="t", outcome="y", test_term=2021, models=models, draws=20)


def casework() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return cases of some alerts of the run, those from leads among them, and their events."""
    cases, events, _ = _kept()
    return cases, events


def casework_shown() -> CaseworkSeen:
    """Return ledgers, cases and events as an office sees them that is not told of leads."""
    return _kept()[2]


@cache
def _kept() -> tuple[pd.DataFrame, pd.DataFrame, CaseworkSeen]:
    with tempfile.TemporaryDirectory() as folder:
        ledger = open_ledger(Path(folder) / "store", create=True)
        system = Actor("pipeline", "系统", Role.SYSTEM)
        found, alerts = result(), result().ledgers.alerts.frame
        some = alerts[alerts["restricted"] | (alerts.index < 40)]
        opened = opening_actions(some, ledger.cases(), [], run_id="0" * 64, as_of=found.as_of, actor=system)
        for action in opened:
            ledger.append(action)
        told = {"owner": "竹桥街道", "due_on": "2026-11-13", "note": ""}
        for number, action in enumerate(opened[:10]):
            step = Action(f"d{number}", action.case_id, CaseEvent.DISPATCH, OFFICE, found.as_of, 1, told)
            ledger.append(step)
        shown = casework_seen(whole_run(), found.ledgers.frames, ledger=ledger)
        cases, events = ledger.cases(), ledger.events()
        ledger.close()
    return cases, events, shown


@cache
def whole_meeting(township: str = "") -> Meeting:
    """Return a meeting that lacks nothing."""
    cases, events = casework()
    return meeting_of(
        whole_run(),
        ledgers=result().ledgers.frames,
        cases=cases,
        events=events,
        head=casework_shown().head,
        earlier=last_run(),
        backtest=Backtest.of(card()),
        township=township,
    )


@cache
def bare_meeting() -> Meeting:
    """Return a meeting of a run alone, the first of its kind."""
    run = whole_run()
    first = run.history[pd.to_datetime(run.history["as_of"]) >= pd.Timestamp(run.as_of)]
    return meeting_of(Run(**{**run.__dict__, "history": first}))


@cache
def whole_briefing() -> Briefing:
    """Return its briefing, with so many red units that they fill several pages of an annex."""
    meeting = whole_meeting()
    many = [
        dataclasses.replace(unit, order=10 * turn + unit.order, unit_name=f"{unit.unit_name}{turn}")
        for turn in range(1, 7)
        for unit in meeting.reds[:9]
    ]
    crowd = dataclasses.replace(meeting, reds=tuple(many))
    return briefing_of(crowd, mark="内部资料，注意保管　市换届办 chen", office="市换届办")


@cache
def whole_pack() -> dict[str, Path]:
    """Return the files of the whole meeting by what they are: the formats, ``plan`` and ``manifest``."""
    folder = tempfile.TemporaryDirectory(prefix="huanjie-")
    atexit.register(folder.cleanup)
    out = Path(folder.name)
    paths = export_meeting(
        whole_meeting(), whole_run(), out, casework=casework_shown(), plans=True, stamp=STAMP
    )
    whole = dict(zip(MEETING_FORMATS, paths, strict=False))
    return {**whole, "plan": paths[len(MEETING_FORMATS)], "manifest": paths[-1]}
