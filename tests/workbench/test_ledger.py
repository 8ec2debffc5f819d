"""A run is published as a whole and once, and only when it knows what the ledger knows."""

from __future__ import annotations

import datetime as dt
import io
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from huanjie_lib.access.grants import GRANTS
from huanjie_lib.casework.events import Action, Actor
from huanjie_lib.errors import DataError, UsageError
from huanjie_lib.parameters import load_parameters
from huanjie_lib.store.ledger import Ledger, open_ledger
from huanjie_lib.store.run_folder import read_ledgers, read_run
from huanjie_lib.vocabulary import CaseEvent, Role
from huanjie_lib.workbench import check_ledger, publish_run, read_casework, write_assessment
from tests.offices import CITY, life

AS_OF = dt.date(2026, 10, 31)


@pytest.fixture(scope="module")
def published(small_city: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the small city that took an empty ledger."""
    folder = tmp_path_factory.mktemp("published")
    open_ledger(folder / "store", create=True).close()
    casework = read_casework(folder / "store")
    parameters = load_parameters()
    write_assessment(small_city, folder / "run", as_of=AS_OF, parameters=parameters, casework=casework)
    return folder / "run"


def test_every_column_of_a_run_folder_has_readers(published: Path) -> None:
    seen = set()
    for file in sorted(published.rglob("*.parquet")):
        place = file.parent.name if file.parent != published else "run"
        if place == "intake" or file.parent.parent.name == "intake":
            continue  # what was refused, for whoever keeps the data
        grant = GRANTS[f"{place}/{file.stem}"]
        assert list(grant.columns) == pq.read_schema(file).names, grant.table
        seen.add(grant.table)
    assert seen >= {name for name in GRANTS if name.startswith(("run/", "ledgers/", "restricted/"))}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """An empty ledger."""
    open_ledger(tmp_path / "store", create=True).close()
    return tmp_path / "store"


def close(ledger: Ledger, case_id: str, on: dt.date) -> None:
    """Take a case from alert to closure on one day."""
    case = ledger.case(case_id)
    town = Actor("li", "责任单位", Role.TOWNSHIP)
    kept = ledger.evidence.put(io.BytesIO(b"photo"), name="a.jpg", media_type="image/jpeg").to_json()
    steps: list[tuple[CaseEvent, Actor, dict[str, Any]]] = [
        (CaseEvent.DISPATCH, CITY, {"owner": town.office, "due_on": "2026-12-31", "note": ""}),
        (CaseEvent.RECTIFY, town, {"note": "", "evidence": [kept], "amendments": []}),
        (CaseEvent.SUBMIT, town, {"note": ""}),
        (CaseEvent.CLOSE, CITY, {"note": ""}),
    ]
    for number, (event, actor, payload) in enumerate(steps):
        version = case.version + number
        ledger.append(Action(f"{case_id}-{event}", case_id, event, actor, on, version, payload))


def test_every_alert_opens_one_case_leads_included(published: Path, store: Path) -> None:
    alerts = read_ledgers(published, restricted=True)["alerts"]
    done = publish_run(published, store, account="chen")
    assert (done.first_time, done.opened, done.reopened) == (True, len(alerts), 0)
    with open_ledger(store, read_only=True) as ledger:
        cases = ledger.cases()
        assert sorted(cases["cause"]) == sorted(alerts["cause"])
        assert cases["restricted"].sum() == alerts["restricted"].sum() > 0
        assert set(ledger.events()["actor"]) == {"chen"}
    again = publish_run(published, store, account="chen")
    assert (again.first_time, again.opened) == (False, len(alerts))
    assert check_ledger(store).faults == []


def test_a_run_that_does_not_know_of_a_closure_is_refused(
    published: Path, store: Path, small_city: Path, small_city_run: Path, tmp_path: Path
) -> None:
    publish_run(published, store, account="chen")
    with open_ledger(store) as ledger:
        case_id = ledger.cases()["case_id"].iloc[0]
        close(ledger, case_id, AS_OF)
    assert read_run(small_city_run).manifest["casework"] is None
    with pytest.raises(UsageError, match="1 件案件在评估截至日前已销号"):
        publish_run(small_city_run, store, account="chen")
    assert not publish_run(published, store, account="chen").first_time, "what was published stays so"
    casework = read_casework(store)
    parameters = load_parameters()
    write_assessment(small_city, tmp_path / "run", as_of=AS_OF, parameters=parameters, casework=casework)
    done = publish_run(tmp_path / "run", store, account="chen")
    assert (done.opened, done.reopened) == (0, 1), "the facts have not changed: the trouble is still there"


def test_a_run_of_another_ledger_and_an_altered_folder_are_refused(
    published: Path, store: Path, small_city: Path, tmp_path: Path
) -> None:
    with open_ledger(tmp_path / "other", create=True) as other:
        other.append(next(life()))
    casework, parameters = read_casework(tmp_path / "other"), load_parameters()
    write_assessment(small_city, tmp_path / "run", as_of=AS_OF, parameters=parameters, casework=casework)
    with pytest.raises(UsageError, match="不是评估时用的台账"):
        publish_run(tmp_path / "run", store, account="chen")
    folder = Path(shutil.copytree(published, tmp_path / "altered"))
    alerts = pd.read_parquet(folder / "ledgers" / "alerts.parquet")
    alerts.iloc[1:].to_parquet(folder / "ledgers" / "alerts.parquet", index=False)
    with pytest.raises(DataError, match=r"alerts\.parquet：发现“与评估时写出的不同”"):
        publish_run(folder, store, account="chen")
    with open_ledger(store, read_only=True) as ledger:
        assert len(ledger.events()) == len(ledger.runs()) == 0
