"""A cut holds of a ledger what one account may see, keeps up with it, and says when it cannot."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from huanjie_lib.access.scope import may_see
from huanjie_lib.casework.events import Actor
from huanjie_lib.errors import LedgerError, UsageError
from huanjie_lib.store.decisions import Decision, accepted
from huanjie_lib.store.ledger import Ledger, PublishedRun, open_ledger
from huanjie_lib.store.ledger_cut import CasesPart, DecisionsPart, LedgerCut, Part, open_cut
from huanjie_lib.vocabulary import CaseEvent, Role
from tests.offices import AUDIT, CITY, COUNTY, DAY, OTHER_TOWN, TOWN, UNIT, act, life

OTHER_UNIT = "990101102201"
SIGNAL = {"kind": "signal", "restricted": True, "title": "登记人数突增"}
VIEWERS = (CITY, COUNTY, TOWN, OTHER_TOWN, AUDIT)
SECRETS = ("石桥村的隐情", "C-other", "plan/C-other", OTHER_UNIT)


@pytest.fixture
def cut(tmp_path: Path) -> Iterator[Callable[..., LedgerCut]]:
    """Return a function that cuts a ledger; all are closed at the end."""
    made: list[LedgerCut] = []

    def of(source: str | Path, part: Part) -> LedgerCut:
        made.append(LedgerCut(source, tmp_path / f"cut{len(made)}" / "ledger.sqlite3", part))
        return made[-1]

    yield of
    for one in made:
        one.close()


def begin(ledger: Ledger) -> None:
    """Open cases of two townships, one of them restricted, and publish a run that alerts two."""
    where = {"unit_code": OTHER_UNIT, "unit_name": "石桥村", "township_code": "990101102"}
    elsewhere = where | {"township_name": "石桥镇", "reason": SECRETS[0]}
    file = ledger.evidence.put(io.BytesIO(b"photo"), name="公示.jpg", media_type="image/jpeg").to_json()
    for action in list(life("C1"))[:5]:
        change = {"evidence": [file]} if action.event is CaseEvent.RECTIFY else {}
        ledger.append(type(action)(**{**vars(action), "payload": {**action.payload, **change}}))
    ledger.append(act(CaseEvent.OPEN, CITY, 0, case_id="C-signal", cause="signal/1", **SIGNAL))
    ledger.append(act(CaseEvent.OPEN, CITY, 0, case_id="C-other", cause="plan/C-other", **elsewhere))
    publish(ledger, 1, ["plan/C1", "plan/C-other", "signal/1"])


def publish(ledger: Ledger, number: int, causes: list[str]) -> None:
    index = pd.DataFrame({"unit_code": [UNIT, OTHER_UNIT], "index": [40.0 + number, 60.0], "level": "red"})
    ledger.publish(PublishedRun(f"{number:064x}", DAY, "p", "chen", index, causes), [])


def check(ledger: Ledger, kept: LedgerCut, actor: Actor) -> None:
    """Compare a cut with what an account may see of the ledger, read whole."""
    whole = ledger.cases()
    mine = whole[may_see(whole, actor)].reset_index(drop=True)
    with open_cut(kept.file) as seen:
        pd.testing.assert_frame_equal(seen.cases(), mine)
        events = ledger.events()
        events = events[events["case_id"].isin(mine["case_id"])].reset_index(drop=True)
        pd.testing.assert_frame_equal(seen.events(), events)
        for case in mine["case_id"].head(1):
            assert seen.case(case) == ledger.case(case)
        for unit in (UNIT, OTHER_UNIT):
            history = ledger.unit_history(unit)
            expected = history if actor.covers(unit) else history.iloc[:0]
            pd.testing.assert_frame_equal(seen.unit_history(unit), expected)
        runs = ledger.runs()
        pd.testing.assert_frame_equal(seen.runs(), runs)
        if len(runs):
            last = runs["run_id"].iloc[-1]
            assert seen.alerted(last) == ledger.alerted(last) & set(mine["cause"])
        for nothing in (seen.decisions(), seen.access_log(), seen.requests()):
            assert nothing.empty


def test_every_account_keeps_up_with_what_it_may_see(
    ledger: Ledger, new_address: str, cut: Callable[..., LedgerCut]
) -> None:
    kept = [(actor, cut(new_address, CasesPart(actor))) for actor in VIEWERS]
    begin(ledger)
    steps: list[Callable[[], object]] = [
        lambda: None,
        lambda: ledger.append(act(CaseEvent.SUBMIT, TOWN, 5, case_id="C1")),
        lambda: ledger.append(act(CaseEvent.DISPATCH, CITY, 1, case_id="C-signal", owner=AUDIT.office)),
        lambda: ledger.append(
            act(CaseEvent.DISPATCH, CITY, 2, case_id="C-signal", owner=TOWN.office, note="改派")
        ),
        lambda: ledger.append(act(CaseEvent.CANCEL, CITY, 1, case_id="C-other")),
        lambda: publish(ledger, 2, ["plan/C-other"]),
    ]
    for step in steps:
        step()
        for actor, one in kept:
            one.refresh()
            if actor in (TOWN, AUDIT) or step is steps[-1]:
                check(ledger, one, actor)


def test_what_is_for_others_stands_nowhere_in_the_file(tmp_path: Path, cut: Callable[..., LedgerCut]) -> None:
    with open_ledger(tmp_path / "store", create=True) as ledger:
        begin(ledger)
        for actor, there in ((CITY, True), (TOWN, False)):
            folder = cut(tmp_path / "store", CasesPart(actor)).file.parent
            content = b"".join(path.read_bytes() for path in sorted(folder.iterdir()))
            assert b"C1" in content
            assert all((secret.encode() in content) is there for secret in SECRETS)
            assert (b"C-signal" in content) is there


def test_a_case_that_goes_to_another_office_is_noticed_though_nothing_new_is_seen(
    tmp_path: Path, cut: Callable[..., LedgerCut]
) -> None:
    with open_ledger(tmp_path / "store", create=True) as ledger:
        begin(ledger)
        ledger.append(act(CaseEvent.DISPATCH, CITY, 1, case_id="C-signal", owner=AUDIT.office))
        kept = cut(tmp_path / "store", CasesPart(AUDIT))
        with open_cut(kept.file) as seen:
            before = seen.mark()
            kept.refresh()
            assert seen.mark() == before
            assert "C-signal" in set(seen.cases()["case_id"])
            ledger.append(
                act(CaseEvent.DISPATCH, CITY, 2, case_id="C-signal", owner=TOWN.office, note="改派")
            )
            kept.refresh()
            assert seen.mark() != before
            assert "C-signal" not in set(seen.cases()["case_id"])
            assert "C-signal" not in set(seen.events()["case_id"])


def test_a_ledger_that_is_out_of_reach_is_told_until_it_is_back(
    tmp_path: Path, cut: Callable[..., LedgerCut]
) -> None:
    with open_ledger(tmp_path / "store", create=True) as ledger:
        begin(ledger)
    kept = cut(tmp_path / "store", CasesPart(TOWN))
    with open_cut(kept.file) as seen:
        before = seen.mark()
        kept._source.close()
        (tmp_path / "store").rename(tmp_path / "away")
        for _ in range(2):
            kept.refresh()
            with pytest.raises(LedgerError, match="案件台账") as caught:
                seen.mark()
            assert caught.value.faults[0].remedy
        (tmp_path / "away").rename(tmp_path / "store")
        kept.refresh()
        assert seen.mark() == before


def test_a_cut_is_read_and_never_written(tmp_path: Path, cut: Callable[..., LedgerCut]) -> None:
    with open_ledger(tmp_path / "store", create=True) as ledger:
        begin(ledger)
    kept = cut(tmp_path / "store", CasesPart(TOWN))
    with open_cut(kept.file) as seen, pytest.raises(LedgerError, match="只读打开"):
        seen.append(act(CaseEvent.SUBMIT, TOWN, 5, case_id="C1"))
    with pytest.raises(LedgerError):
        open_cut(tmp_path / "nothing" / "ledger.sqlite3")


@pytest.mark.parametrize("role", [Role.READER, Role.TALENT])
def test_roles_without_cases_get_none(role: Role) -> None:
    with pytest.raises(UsageError, match="没有查阅的权限"):
        CasesPart(Actor("a", "o", role))
    if role is Role.READER:
        with pytest.raises(UsageError, match="没有查阅的权限"):
            DecisionsPart(Actor("a", "o", role))


class TestDecisions:
    """Of decisions elsewhere an area learns no more than that one of its people is taken there."""

    OFFICE = Actor("li", "市委组织部", Role.TALENT)
    AREA = Actor("zhou", "县委组织部", Role.TALENT, ("990101101",))

    def decide(
        self, ledger: Ledger, unit: str, person: str, choice: str = "accept", instead: str = ""
    ) -> None:
        told = {"unit_code": unit, "post": "director", "person_ref": person, "choice": choice}
        seen = len(ledger.decisions(unit, "director"))
        more = {"instead_ref": instead, "departs": choice != "accept", "expected": seen, "held": 9}
        number = {"decision_id": f"d{ledger.head().decisions}", "talent_run": "ab" * 32, "reason": "机密理由"}
        ledger.decide(Decision.model_validate(told | more | number), self.OFFICE)

    def test_whoever_sees_all_gets_all(
        self, ledger: Ledger, new_address: str, cut: Callable[..., LedgerCut]
    ) -> None:
        kept = cut(new_address, DecisionsPart(self.OFFICE))
        for unit in (UNIT, OTHER_UNIT):
            self.decide(ledger, unit, "P1")
            kept.refresh()
            with open_cut(kept.file) as seen:
                pd.testing.assert_frame_equal(seen.decisions(), ledger.decisions())
                assert seen.cases().empty

    def test_an_area_gets_its_own_and_that_its_people_are_taken(
        self, tmp_path: Path, cut: Callable[..., LedgerCut]
    ) -> None:
        with open_ledger(tmp_path / "store", create=True) as ledger:
            self.decide(ledger, UNIT, "P1")
            self.decide(ledger, OTHER_UNIT, "P2")
            self.decide(ledger, OTHER_UNIT, "P-other")
            self.decide(ledger, "990101103201", "P2")
            self.decide(ledger, "990101103201", "P-other", "change", "P3")
            self.decide(ledger, OTHER_UNIT, "P2", "change", "P-other")
            kept = cut(tmp_path / "store", DecisionsPart(self.AREA, {"P1", "P2", "P3"}))
            with open_cut(kept.file) as seen:
                shown, whole = seen.decisions(), ledger.decisions()
            assert shown.iloc[0].to_dict() == whole.iloc[0].to_dict()
            stands = accepted(shown)
            assert stands[["person_ref", "post"]].to_numpy().tolist() == [
                ["P1", "director"],
                ["P2", "director"],
                ["P3", "director"],
            ]
            assert stands["unit_code"].str.startswith("9901").tolist() == [True, False, False]
            folder = kept.file.parent
            content = b"".join(path.read_bytes() for path in sorted(folder.iterdir()))
            assert content.count("机密理由".encode()) == 1
            assert not any(text in content for text in (b"P-other", OTHER_UNIT.encode(), b"990101103201"))
