"""Random histories on a real SQLite ledger, against a model of the rules written down apart from the program.

The model knows nothing of :mod:`huanjie_lib.casework.cases`: its table of transitions, its roles and its
review rule stand here. After every step the ledger must agree with it, and from time to time one byte of one
event in a copy is changed behind the ledger's back and must be found at that event.
"""

from __future__ import annotations

import datetime as dt
import io
import itertools
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from pysqlite3 import dbapi2 as sqlite

from huanjie_lib.casework.cases import Case, advance, allowed_events, replay
from huanjie_lib.casework.events import EVENT_COLUMNS, Action, Actor, Head
from huanjie_lib.errors import EventClashError, StaleVersionError, TransitionError
from huanjie_lib.store.ledger import open_ledger
from huanjie_lib.vocabulary import CaseEvent, Role
from tests.offices import AUDIT, CITY, COUNTY, DAY, OTHER_COUNTY, OTHER_TOWN, PUBLISHER, TOWN, act

CASES = ("C1", "C2")
READER = Actor("r", "云溪镇", Role.READER)
COLLEAGUE = Actor("li", "市换届办", Role.CITY)  # the account of the town, now in the city's office
ACTORS = (CITY, COUNTY, OTHER_COUNTY, TOWN, OTHER_TOWN, AUDIT, PUBLISHER, READER, COLLEAGUE)
OFFICES = (TOWN.office, OTHER_TOWN.office, CITY.office)
OPEN = {"alert", "dispatched", "rectifying", "reviewing"}
#: event → the states it may come in, and the state it leads to ("" where that needs thought)
STEPS = {
    "dispatch": ({"alert", "dispatched", "rectifying"}, ""),
    "rectify": ({"dispatched", "rectifying"}, "rectifying"),
    "submit": ({"rectifying"}, "reviewing"),
    "return": ({"reviewing"}, "rectifying"),
    "close": ({"reviewing"}, "closed"),
    "reopen": ({"closed", "cancelled"}, ""),
    "cancel": (OPEN, "cancelled"),
}


@dataclass(frozen=True)
class Model:
    """What must be true of a case, by the rules as a reader of the plan would state them."""

    kind: str
    cause: str
    opened_on: dt.date
    state: str = "alert"
    owner: str = ""
    version: int = 1
    due_on: str | None = None
    files: frozenset[str] = frozenset()
    workers: frozenset[str] = frozenset()
    counts: dict[str, int] = field(default_factory=lambda: {"reopened": 0, "returned": 0, "postponed": 0})

    def allows(self, action: Action) -> bool:
        """Tell whether an event may happen to this case."""
        event, who, told = action.event.value, action.actor, action.payload
        if event == "open" or self.state not in STEPS[event][0] or action.happened_on < self.opened_on:
            return False
        if who.scope and not any("990101101201".startswith(s) for s in who.scope):
            return False
        if event in {"rectify", "submit"}:
            if who.office != self.owner or who.role in {Role.READER, Role.SYSTEM}:
                return False
            return event == "rectify" or bool(self.files)
        offices = {Role.CITY, Role.COUNTY}
        if self.kind == "problem":
            offices.add(Role.AUDIT)
        if event == "reopen":
            offices.add(Role.SYSTEM)
        if who.role not in offices:
            return False
        if event in {"close", "return"} and (who.office == self.owner or who.account in self.workers):
            return False
        needs_note = event in {"return", "reopen", "cancel"} or (
            event == "dispatch" and self.state != "alert"
        )
        return not needs_note or told["note"].strip() != ""

    def after(self, action: Action) -> Model:
        """Return the case after an event that may happen."""
        event, told = action.event.value, action.payload
        new = replace(self, version=self.version + 1, state=STEPS[event][1] or self.state)
        counts = dict(self.counts)
        if event == "dispatch":
            same = told["owner"] == self.owner
            counts["postponed"] += int(same and self.due_on is not None and told["due_on"] > self.due_on)
            keeps = same and self.state != "alert"
            state = self.state if keeps else "dispatched"
            return replace(new, owner=told["owner"], due_on=told["due_on"], state=state, counts=counts)
        if event == "rectify":
            files = self.files | {item["digest"] for item in told["evidence"]}
            return replace(new, files=files, workers=self.workers | {action.actor.account})
        if event == "submit":
            return replace(new, workers=self.workers | {action.actor.account})
        if event == "return":
            return replace(new, counts=counts | {"returned": counts["returned"] + 1})
        if event == "reopen":
            counts["reopened"] += 1
            state = "dispatched" if self.owner else "alert"
            none: frozenset[str] = frozenset()
            return replace(new, state=state, due_on=told["due_on"], files=none, workers=none, counts=counts)
        return new


@pytest.fixture(scope="module", autouse=True)
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Make an empty ledger once; every history begins with a copy of it."""
    folder = tmp_path_factory.mktemp("template")
    open_ledger(folder, create=True).close()
    Histories.template = folder / "ledger.sqlite3"
    yield
    Histories.template = None


class Histories(RuleBasedStateMachine):
    """Events of two cases by nine actors, legal and illegal, retried, raced and tampered with."""

    template: Path | None = None

    @initialize()
    def begin(self) -> None:
        assert self.template is not None
        self.folder = Path(tempfile.mkdtemp())
        self.file = self.folder / "ledger.sqlite3"
        shutil.copy(self.template, self.file)
        self.clock = dt.datetime(2026, 11, 2, tzinfo=dt.UTC)
        self.ledger = open_ledger(self.file, clock=lambda: self.clock)
        self.kept = [
            self.ledger.evidence.put(io.BytesIO(bytes([n])), name="a.jpg", media_type="image/jpeg").to_json()
            for n in (1, 2)
        ]
        self.plain: dict[CaseEvent, dict[str, Any]] = {event: {"note": "已核"} for event in CaseEvent}
        self.plain[CaseEvent.DISPATCH] |= {"owner": TOWN.office}
        self.model: dict[str, Model] = {}
        self.walked: dict[str, tuple[Case, Model]] = {}
        self.recorded: list[Action] = []
        self.heads = [Head()]
        self.numbers = 0

    def teardown(self) -> None:
        if hasattr(self, "ledger"):
            self.ledger.close()
            shutil.rmtree(self.folder)

    def new_id(self) -> str:
        self.numbers += 1
        return f"e{self.numbers}"

    def expect(self, action: Action) -> type[Exception] | None:
        """Return the error that the rules ask for, or nothing."""
        case = self.model.get(action.case_id)
        if action.expected_version != (case.version if case else 0):
            return StaleVersionError
        if action.actor.role is not Role.SYSTEM and action.happened_on > self.tomorrow(case):
            return TransitionError
        if case is None:
            mine = action.event is CaseEvent.OPEN and action.actor.role in {Role.CITY, Role.SYSTEM}
            free = action.event is CaseEvent.OPEN and self.free(action.payload["cause"], action.case_id)
            return None if mine and free else TransitionError
        legal = case.allows(action)
        if action.event is CaseEvent.REOPEN and not self.free(case.cause, action.case_id):
            legal = False
        return None if legal else TransitionError

    def tomorrow(self, case: Model | None) -> dt.date:
        """Return the last day of an event: tomorrow in Beijing, or the day of the case."""
        day = (self.clock + dt.timedelta(hours=8 + 24)).date()
        return day if case is None else max(day, case.opened_on)

    def free(self, cause: str, case_id: str) -> bool:
        return all(c == case_id or m.cause != cause or m.state not in OPEN for c, m in self.model.items())

    def do(self, action: Action) -> None:
        """Ask for an event and hold the answer against the model."""
        error = self.expect(action)
        if error is not None:
            with pytest.raises(error):
                self.ledger.append(action)
            return
        recorded = self.ledger.append(action)
        case = self.model.get(action.case_id)
        if case is None:
            told = action.payload
            self.model[action.case_id] = Model(told["kind"], told["cause"], action.happened_on)
        else:
            self.model[action.case_id] = case.after(action)
        assert recorded.version == self.model[action.case_id].version
        assert recorded.sequence == len(self.recorded) + 1
        self.recorded.append(action)
        self.heads.append(self.ledger.head())

    def payload(self, event: CaseEvent, data: st.DataObject) -> dict[str, Any]:
        told: dict[str, Any] = {"note": data.draw(st.sampled_from(["", " ", "已核", "“引号”\n换行🙂"]))}
        day = st.sampled_from(["2026-11-20", "2026-12-01", "2026-12-31"])
        match event:
            case CaseEvent.OPEN:
                kind = st.sampled_from(["plan", "problem"])
                cause = st.sampled_from(["a", "b"])
                return {"kind": data.draw(kind), "cause": data.draw(cause)}
            case CaseEvent.DISPATCH:
                return told | {"owner": data.draw(st.sampled_from(OFFICES)), "due_on": data.draw(day)}
            case CaseEvent.REOPEN:
                return told | {"due_on": data.draw(day)}
            case CaseEvent.RECTIFY:
                files = data.draw(st.lists(st.sampled_from(self.kept), max_size=2))
                leader = {"table": "unit_plans", "key": {}, "set": {"leader": "镇党委副书记"}}
                return told | {"evidence": files, "amendments": [leader] * data.draw(st.integers(0, 1))}
        return told

    @rule(
        data=st.data(),
        case_id=st.sampled_from(CASES),
        event=st.sampled_from(list(CaseEvent)),
        actor=st.sampled_from(ACTORS),
        days=st.sampled_from([0, 0, 0, 3, -1]),
        late=st.sampled_from([0, 0, 0, 0, 1, -1]),
        hours=st.integers(-48, 48),
    )
    def anything(
        self,
        data: st.DataObject,
        case_id: str,
        event: CaseEvent,
        actor: Actor,
        days: int,
        late: int,
        hours: int,
    ) -> None:
        """Whatever event by whoever on whatever day, for a version that may be old or not there yet."""
        self.clock += dt.timedelta(hours=hours)  # clocks step back
        version = max(0, (self.model[case_id].version if case_id in self.model else 0) + late)
        on = DAY + dt.timedelta(days=days)
        told = self.payload(event, data)
        self.do(act(event, actor, version, case_id=case_id, event_id=self.new_id(), on=on, **told))

    @rule(data=st.data(), case_id=st.sampled_from(CASES))
    def onward(self, data: st.DataObject, case_id: str) -> None:
        """A few plausible events in a row, so that histories reach every state."""
        for _ in range(data.draw(st.integers(1, 4))):
            self.next_step(data, case_id)

    def next_step(self, data: st.DataObject, case_id: str) -> None:
        case = self.model.get(case_id)
        if case is None:
            event, actor = CaseEvent.OPEN, CITY
        else:
            steps = [name for name, (states, _) in STEPS.items() if case.state in states and name != "cancel"]
            event = CaseEvent[data.draw(st.sampled_from(steps)).upper()]
            owner = {TOWN.office: TOWN, OTHER_TOWN.office: OTHER_TOWN}.get(case.owner, CITY)
            reviewer = COUNTY if case.owner == CITY.office else CITY
            actor = owner if event in {CaseEvent.RECTIFY, CaseEvent.SUBMIT} else reviewer
        told = self.payload(event, data) | ({} if event is CaseEvent.OPEN else {"note": "已核"})
        version = case.version if case else 0
        self.do(act(event, actor, version, case_id=case_id, event_id=self.new_id(), **told))

    @precondition(lambda self: self.recorded)
    @rule(data=st.data())
    def again(self, data: st.DataObject) -> None:
        """An event asked for again is the one recorded; with other content it is refused."""
        number = data.draw(st.integers(1, len(self.recorded)))
        action = self.recorded[number - 1]
        assert self.ledger.append(action).sequence == number
        with pytest.raises(EventClashError):
            self.ledger.append(replace(action, happened_on=action.happened_on + dt.timedelta(days=1)))
        assert self.ledger.head() == self.heads[-1]

    @rule()
    def reopened_by_another_process(self) -> None:
        self.ledger.close()
        self.ledger = open_ledger(self.file, clock=lambda: self.clock)

    @precondition(lambda self: self.recorded)
    @rule(data=st.data())
    def tampered(self, data: st.DataObject) -> None:
        """One byte changed in a copy, triggers set aside and back: found, and located by its sequence."""
        target = data.draw(st.integers(1, len(self.recorded)))
        column = data.draw(st.sampled_from(EVENT_COLUMNS))
        copy = self.folder / "copy" / "ledger.sqlite3"
        shutil.rmtree(copy.parent, ignore_errors=True)
        copy.parent.mkdir()
        with closing(sqlite.connect(str(self.file))) as source, closing(sqlite.connect(str(copy))) as other:
            source.backup(other)
            guards = other.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
            for name, _ in guards:
                other.execute(f"DROP TRIGGER {name}")
            (raw,) = other.execute(
                f"SELECT CAST({column} AS BLOB) FROM case_events WHERE sequence = ?", (target,)
            ).fetchone()
            changed = bytearray(raw)
            place = data.draw(st.integers(0, len(raw) - 1))
            if column in {"sequence", "version"}:
                new: Any = int(raw) ^ (1 << data.draw(st.integers(0, 40)))
            else:
                changed[place] ^= data.draw(st.integers(1, 255))
                new = bytes(changed)
            cast = "?" if isinstance(new, int) else "CAST(? AS TEXT)"
            try:
                other.execute(f"UPDATE case_events SET {column} = {cast} WHERE sequence = ?", (new, target))
            except sqlite.IntegrityError:
                return  # the place of another event: the tables themselves refuse
            for _, statement in guards:
                other.execute(statement)
            other.commit()
        with open_ledger(copy, evidence=self.folder / "evidence", read_only=True) as ledger:
            faults = ledger.verify()
        chain = {f.sequence for f in faults if f.kind in {"altered", "gap", "reordered", "replaced"}}
        if column == "sequence":
            assert chain & {target, new}, (target, new, faults)
        else:
            assert chain == {target}, (target, column, faults)

    @invariant()
    def the_ledger_agrees_with_the_model(self) -> None:
        if not hasattr(self, "ledger"):
            return
        with self.ledger.snapshot() as moment:
            events = moment.events()
            derived = {case_id: moment.case(case_id) for case_id in self.model}
            assert len(moment.cases()) == len(self.model)
        assert events["event_id"].tolist() == [action.event_id for action in self.recorded]
        assert replay(events) == derived
        for case_id, wanted in self.model.items():
            case = derived[case_id]
            assert (case.state.value, case.owner, case.version) == (
                wanted.state,
                wanted.owner,
                wanted.version,
            )
            assert (case.due_on and case.due_on.isoformat()) == wanted.due_on
            assert set(case.evidence) == wanted.files
            assert set(case.rectifiers) == wanted.workers
            assert {name: getattr(case, name) for name in wanted.counts} == wanted.counts
            assert (case.closed_on is not None) == (wanted.state == "closed")
            if self.walked.get(case_id) != (case, wanted):  # from the same place the same steps lead on
                self.every_step_is_allowed_or_refused(case, wanted)
                self.walked[case_id] = (case, wanted)

    def every_step_is_allowed_or_refused(self, case: Case, wanted: Model) -> None:
        """From where a case stands, by whomever: what the rules allow is taken, and nothing else."""
        for event, actor in itertools.product(CaseEvent, ACTORS):
            told = {} if event is CaseEvent.OPEN else self.plain[event]
            action = act(
                event, actor, case.version, case_id=case.case_id, on=DAY + dt.timedelta(days=3), **told
            )
            allowed = wanted.allows(action)
            assert (event in allowed_events(case, actor)) == allowed, (case, event, actor)
            if allowed:
                assert advance(case, action).version == case.version + 1
            else:
                with pytest.raises(TransitionError):
                    advance(case, action)

    @rule(data=st.data())
    def verified(self, data: st.DataObject) -> None:
        """Nothing is wrong, against any head ever kept."""
        head = data.draw(st.sampled_from(self.heads))
        assert self.ledger.verify(Head.from_json(head.to_json())) == []


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=20,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
