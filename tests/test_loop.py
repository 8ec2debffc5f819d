"""The loop as an office walks it: run, publish, rectify with evidence, close, run again."""

from __future__ import annotations

import datetime as dt
import io
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pysqlite3 import dbapi2 as sqlite

from huanjie_lib.casework.cases import Case
from huanjie_lib.casework.events import Action, Actor
from huanjie_lib.cli import main
from huanjie_lib.errors import LedgerError
from huanjie_lib.parameters import load_parameters
from huanjie_lib.store.engine import FILE_NAME
from huanjie_lib.store.ledger import open_ledger
from huanjie_lib.store.run_folder import read_ledgers, read_run
from huanjie_lib.vocabulary import CaseEvent, Role
from huanjie_lib.workbench import publish_run, read_casework, write_assessment

BEFORE, LATER = dt.date(2026, 10, 31), dt.date(2026, 11, 30)
CITY = Actor("chen", "市换届办", Role.CITY)


@dataclass(frozen=True)
class Loop:
    """Two runs around one closed case, and the ledger between them."""

    folder: Path
    store: Path
    case: Case

    def index(self, name: str) -> float:
        return float(read_run(self.folder / name).index.set_index("unit_code")["index"][self.case.unit_code])


def walk(ledger: Any, case: Case, evidence: dict[str, Any]) -> None:
    """Take a case from alert to closure, each step by the office that may take it."""
    owner = Actor("li", case.township_name, Role.TOWNSHIP, (case.township_code,))
    table, _, key = case.subject.partition("/")
    amendment = {"table": table, "key": {"problem_id": key}, "set": {"closed_on": "2026-11-20"}}
    steps = (
        (CITY, CaseEvent.DISPATCH, {"owner": owner.office, "due_on": "2026-11-25", "note": ""}),
        (owner, CaseEvent.RECTIFY, {"note": "已退款", "evidence": [evidence], "amendments": [amendment]}),
        (owner, CaseEvent.SUBMIT, {"note": ""}),
        (CITY, CaseEvent.CLOSE, {"note": "已核对票据"}),
    )
    for number, (actor, event, payload) in enumerate(steps, start=1):
        ledger.append(
            Action(
                f"{case.case_id}-{number}", case.case_id, event, actor, dt.date(2026, 11, 20), number, payload
            )
        )


@pytest.fixture(scope="module")
def loop(small_city: Path, tmp_path_factory: pytest.TempPathFactory) -> Loop:
    folder = tmp_path_factory.mktemp("loop")
    store, parameters = folder / "store", load_parameters()
    write_assessment(small_city, folder / "before", as_of=BEFORE, parameters=parameters)
    with open_ledger(store, create=True):
        pass
    publish_run(folder / "before", store, account="chen")
    with open_ledger(store) as ledger:
        cases = ledger.cases(kinds=["problem"])
        worst = cases["unit_code"].value_counts().index[0]
        case = ledger.case(str(cases[cases["unit_code"] == worst]["case_id"].iloc[0]))
        kept = ledger.evidence.put(
            io.BytesIO(b"%PDF-1.7 receipt"), name="票据.pdf", media_type="application/pdf"
        )
        walk(
            ledger,
            case,
            {"digest": kept.digest, "name": kept.name, "bytes": kept.bytes, "media_type": kept.media_type},
        )
        assert ledger.verify() == []
    write_assessment(small_city, folder / "without", as_of=LATER, parameters=parameters)
    write_assessment(
        small_city, folder / "after", as_of=LATER, parameters=parameters, casework=read_casework(store)
    )
    return Loop(folder, store, case)


def test_the_closed_case_raises_the_units_index_and_no_other(loop: Loop) -> None:
    without, after = (
        read_run(loop.folder / name).index.set_index("unit_code") for name in ("without", "after")
    )
    moved = after["index"] - without["index"]
    assert moved[loop.case.unit_code] > 0.1
    assert (moved.drop(loop.case.unit_code).abs() < 1e-12).all()


def test_the_run_says_what_moved_and_from_which_ledger(loop: Loop) -> None:
    run = read_run(loop.folder / "after")
    told = run.readings[run.readings["topic"] == "regained"]
    assert told["unit_code"].tolist() == [loop.case.unit_code]
    assert "已销号的1件案件" in told["text"].iloc[0]
    with open_ledger(loop.store, read_only=True) as ledger:
        head = ledger.head()
    assert run.manifest["casework"] == {
        "sequence": head.sequence,
        "head": head.hash,
        "amendments": 2,
        "unplaced": 0,
    }
    changes = read_ledgers(loop.folder / "after")["amendments"]
    assert changes.set_index("column")["after"].to_dict() == {
        "closed_on": "2026年11月20日",
        "evidence": loop.case.case_id,
    }


def test_its_alert_has_gone_and_publishing_again_opens_nothing_twice(loop: Loop) -> None:
    before, after = (
        read_ledgers(loop.folder / name, restricted=True)["alerts"] for name in ("before", "after")
    )
    assert loop.case.cause in set(before["cause"])
    assert loop.case.cause not in set(after["cause"])
    done = publish_run(loop.folder / "after", loop.store, account="chen")
    again = publish_run(loop.folder / "after", loop.store, account="chen")
    assert again == replace(done, first_time=False)
    with open_ledger(loop.store, read_only=True) as ledger:
        cases = ledger.cases()
        history = ledger.unit_history(loop.case.unit_code)
    still = cases[~cases["state"].isin(["closed", "cancelled"])]
    assert not still["cause"].duplicated().any()
    assert set(after["cause"]) <= set(still["cause"])
    assert done.opened + len(before) == len(cases)
    assert history["index"].tolist() == pytest.approx([loop.index("before"), loop.index("after")])


def test_restricted_alerts_are_read_with_the_rest_only_where_asked_for(loop: Loop) -> None:
    open_alerts = read_ledgers(loop.folder / "before")["alerts"]
    everything = read_ledgers(loop.folder / "before", restricted=True)["alerts"]
    assert not open_alerts["restricted"].any()
    assert everything["unit_code"].is_monotonic_increasing
    assert len(everything) == len(open_alerts) + int(everything["restricted"].sum())


def test_the_ledgers_are_written_from_the_command_line(
    loop: Loop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, store = str(loop.folder / "after"), str(loop.store)
    assert main(["ledgers", "--run", run, "--store", store, "--out", str(tmp_path), "--no-plans"]) == 0
    assert "台账_2026-11-30.xlsx" in capsys.readouterr().out
    book = pd.read_excel(
        tmp_path / "台账_2026-11-30.xlsx", sheet_name="案件台账", header=None, dtype=str, engine="openpyxl"
    )
    assert book.apply(lambda column: column == loop.case.case_id).any().any()
    assert main(["ledgers", "--run", run, "--out", str(tmp_path), "--sheet", "9"]) != 0
    assert main(["check", "--ledger", store]) == 0


def test_a_run_refuses_a_ledger_that_was_tampered_with(loop: Loop, tmp_path: Path) -> None:
    shutil.copytree(loop.store, tmp_path / "store")
    connection = sqlite.connect(tmp_path / "store" / FILE_NAME)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f'DROP TRIGGER "{name}"')
    changed = connection.execute(
        "UPDATE case_events SET payload = replace(payload, '2026-11-20', '2026-11-02')"
        " WHERE event = 'rectify'"
    ).rowcount
    connection.commit()
    connection.close()
    assert changed == 1
    with pytest.raises(LedgerError, match="事件链不完整"):
        read_casework(tmp_path / "store")
    assert read_casework(loop.store).sequence > 0
