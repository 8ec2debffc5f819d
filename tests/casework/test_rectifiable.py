"""What can be put right: complete, unique, and enough to let a unit start."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pandas as pd
import pytest

from huanjie_lib.casework.amendments import amendments_in_force, apply_amendments, check_amendments
from huanjie_lib.casework.rectifiable import rectifiable
from huanjie_lib.parameters import load_parameters
from huanjie_lib.risk.gates import evaluate_gates
from huanjie_lib.risk.indicators import indicator_values
from huanjie_lib.risk.moment import Moment
from huanjie_lib.risk.prepared import prepare
from huanjie_lib.risk.scoring import score
from huanjie_lib.sample import City, make_city

PARAMETERS = load_parameters()


@pytest.fixture(scope="module")
def city() -> City:
    return make_city(units=60, snapshots=1)


@pytest.fixture(scope="module")
def items(city: City) -> pd.DataFrame:
    return rectifiable(Moment(prepare(city.tables), PARAMETERS, city.as_of))


def filled(item: dict[str, Any], as_of: dt.date) -> dict[str, Any]:
    """Return the form of one row filled in as a diligent office would, all of it by ``as_of``."""
    day = {
        "start_on": as_of - dt.timedelta(days=6),
        "expires_on": as_of + dt.timedelta(days=90),
        "plan_on": as_of - dt.timedelta(days=30),
        "started_on": as_of - dt.timedelta(days=20),
    }
    words = {"outcome": "clear", "opinion": "favourable", "audit_type": "term", "method": "visit"}
    numbers = {"objections": 2, "answered": 2, "representatives": 3, "amount": 1000.0}
    values: dict[str, Any] = {}
    for field in json.loads(item["fields"]):
        name, kind = field["column"], field["kind"]
        if kind == "date":
            values[name] = day.get(name, as_of).isoformat()
        elif kind == "word":
            assert words[name] in {option["value"] for option in field["options"]}
            values[name] = words[name]
        elif kind == "boolean":
            values[name] = True
        elif kind == "string":
            values[name] = "镇街"
        else:
            values[name] = numbers.get(name, 10) if field["maximum"] is None else field["maximum"]
    if item["table"] == "audit_problems":
        values.pop("due_on")
    if item["insert"]:
        return {"table": item["table"], "insert": json.loads(item["fixed"]) | values}
    return {"table": item["table"], "key": json.loads(item["key"]), "set": values}


def test_each_row_is_named_once_and_each_form_fits_its_contract(items: pd.DataFrame, city: City) -> None:
    assert not items.duplicated(["unit_code", "item_id"]).any()
    for item in items.to_dict("records"):
        check_amendments([filled(item, city.as_of)], unit_code=item["unit_code"])
        assert item["label"]
        assert item["causes"]


def test_nothing_dated_later_can_be_put_right_yet(city: City) -> None:
    early = city.as_of - dt.timedelta(days=200)
    rows = rectifiable(Moment(prepare(city.tables), PARAMETERS, early))
    opened = city.tables["disputes"].set_index("dispute_id")["opened_on"]
    named = rows[rows["table"] == "disputes"]["key"].map(lambda key: json.loads(key)["dispute_id"])
    assert (opened[named] <= pd.Timestamp(early)).all()


def test_every_open_problem_and_dispute_is_there(items: pd.DataFrame, city: City) -> None:
    as_of = pd.Timestamp(city.as_of)
    disputes = city.tables["disputes"]
    open_disputes = disputes[(disputes["opened_on"] <= as_of) & ~(disputes["resolved_on"] <= as_of)]
    assert set("dispute:" + open_disputes["dispute_id"]) == set(items[items["table"] == "disputes"]["causes"])
    problems = city.tables["audit_problems"]
    closed = (problems["closed_on"] <= as_of) & problems["evidence"].notna()
    still = problems[(problems["found_on"] <= as_of) & ~closed]
    named = items[items["table"] == "audit_problems"]["causes"].str.split("|").str[0]
    assert set("problem:" + still["problem_id"]) == set(named)


def test_the_roll_may_be_put_right_where_a_signal_points_at_it(city: City) -> None:
    unit = str(city.tables["units"]["unit_code"].iloc[3])
    signals = pd.DataFrame({"unit_code": [unit, unit], "signal": ["roll_gap", "leads_burst"]})
    rows = rectifiable(Moment(prepare(city.tables), PARAMETERS, city.as_of), signals)
    roll = rows[rows["table"] == "roll_checks"]
    assert set(roll["unit_code"]) == {unit}
    assert set(roll["causes"]) == {"signal:roll_gap"}
    assert len(roll) == 6


def test_putting_everything_right_opens_the_gates_and_raises_no_units_loss(
    items: pd.DataFrame, city: City
) -> None:
    """All forms filled in; what stays open are second notices, audits from nothing and members off the list.

    An item concluded anew makes earlier notices of the audit count no more: those units are told apart.
    """
    later = city.as_of + dt.timedelta(days=30)
    events = []
    for number, (unit, rows) in enumerate(items.groupby("unit_code")):
        forms = [filled(item, city.as_of) for item in rows.to_dict("records")]
        rounds = [forms[start : start + 150] for start in range(0, len(forms), 150)]
        told = [
            ("open", {"unit_code": unit}),
            *(("rectify", {"amendments": r}) for r in rounds),
            ("close", {}),
        ]
        events += [
            {
                "sequence": 100 * number + step,
                "case_id": f"C{number}",
                "event": event,
                "happened_on": pd.Timestamp(city.as_of),
                "payload": json.dumps(payload),
            }
            for step, (event, payload) in enumerate(told, start=1)
        ]
    amended = apply_amendments(city.tables, amendments_in_force(pd.DataFrame(events), later))
    assert set(amended.unplaced["table"]) <= {"audit_notices", "screenings"}, amended.unplaced[
        "reason"
    ].unique()
    before, after = (
        evaluate_gates(prepare(t), PARAMETERS, city.as_of).set_index(["unit_code", "gate"])["status"]
        for t in (city.tables, amended.tables)
    )
    lost = before.index[(before == "pass") & (after != "pass")]
    assert set(lost.get_level_values("gate")) <= {"audit_notices"}
    for gate in ("audit_problems", "screening", "reviews"):
        assert (after.xs(gate, level="gate") == "pass").all(), gate
    assert (after == "pass").mean() > (before == "pass").mean()
    kinds = city.tables["units"].set_index("unit_code")["unit_kind"]
    index = [
        score(
            indicator_values(prepare(t), PARAMETERS, city.as_of).value,
            kinds.sort_index(),
            PARAMETERS.framework,
        ).index
        for t in (city.tables, amended.tables)
    ]
    kept = ~index[0].index.isin(lost.get_level_values("unit_code"))
    assert kept.sum() > 30
    assert (index[1] >= index[0] - 1e-9)[kept].all()
    assert index[1].mean() > index[0].mean() + 5
