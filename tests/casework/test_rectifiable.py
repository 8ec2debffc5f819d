"""What can be put right: complete, unique, and enough to let a unit start."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pandas as pd
import pytest

from huanjie_lib.casework.amendments import amendments_in_force, apply_amendments, check_amendments
from huanjie_lib.casework.rectifiable import rectifiable
from huanjie_lib.errors import DataError
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
    words |= {"post": "member"}
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
            values[name] = f"p{item['unit_code']}" if name == "person_ref" else "镇街"
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


UNIT = "990101001201"


def committee(**more: list[dict[str, Any]]) -> dict[str, pd.DataFrame]:
    """An audit that lists one of three members and none of two leavers."""
    member = {"unit_code": UNIT, "project_id": "A1", "person_ref": "p1", "post": "secretary"}
    rows: dict[str, list[dict[str, Any]]] = {
        "units": [{"unit_code": UNIT, "unit_kind": "village"}],
        "audit_projects": [{"unit_code": UNIT, "project_id": "A1", "started_on": pd.Timestamp(2026, 3, 1)}],
        "audit_subjects": [
            {**member, "term_from": pd.Timestamp(2021, 5, 1), "outcome": "clear"}
            | {"concluded_on": pd.Timestamp(2026, 5, 1)}
        ],
        "leavers": [
            {"unit_code": UNIT, "person_ref": "p8", "left_on": pd.Timestamp(2025, 2, 1)},
            {"unit_code": UNIT, "person_ref": "p9", "left_on": pd.NaT},
        ],
        "facts": [
            {
                "unit_code": UNIT,
                "metric": "committee_members",
                "as_of": pd.Timestamp(2026, 1, 31),
                "value": 3.0,
            }
        ],
    }
    return {name: pd.DataFrame(told) for name, told in (rows | more).items()}


def test_members_on_no_list_are_put_on_it_one_by_one() -> None:
    """Leavers are known by their pseudonyms, others only by the committee's size; the gate then opens."""
    tables, day = committee(), dt.date(2026, 10, 31)
    asked = 0
    while len(found := off_the_list(tables, day)):
        asked += 1
        item = found.iloc[0].to_dict()
        given = filled(item, day)
        if not json.loads(item["fixed"]).get("person_ref"):
            given["insert"]["person_ref"] = f"p{asked}0"
        (change,) = check_amendments([given], unit_code=UNIT)
        assert change.insert
        tables = dict(apply_amendments(tables, in_force(given, asked)).tables)
    assert asked == 4
    gates = evaluate_gates(prepare(tables), PARAMETERS, day).set_index("gate")
    assert gates.loc["audit_members", "status"] == "pass"
    left = tables["audit_subjects"].set_index("person_ref")["term_to"]
    assert left["p8"] == pd.Timestamp(2025, 2, 1)


def test_an_audit_without_a_list_asks_for_its_first_member() -> None:
    day, other = dt.date(2026, 10, 31), "990101001202"
    tables = committee(leavers=[])
    for name in ("units", "audit_projects"):
        more = tables[name].assign(unit_code=other, **({"project_id": "A2"} if name != "units" else {}))
        tables[name] = pd.concat([tables[name], more], ignore_index=True)
    rows = off_the_list(tables, day).set_index("unit_code")["label"]
    assert "名单还少2人" in rows[UNIT]
    assert "还没有审计对象名单" in rows[other]


def test_an_identity_number_never_reaches_the_ledger() -> None:
    (item,) = off_the_list(committee(leavers=[]), dt.date(2026, 10, 31)).to_dict("records")
    given = filled(item, dt.date(2026, 10, 31))
    given["insert"]["person_ref"] = "110105199001011239"
    with pytest.raises(DataError, match=r"像是身份证号码”；.*改填人员代号") as told:
        check_amendments([given], unit_code=UNIT)
    assert "1101051990" not in str(told.value)


def off_the_list(tables: dict[str, pd.DataFrame], day: dt.date) -> pd.DataFrame:
    rows = rectifiable(Moment(prepare(tables), PARAMETERS, day))
    return rows[(rows["table"] == "audit_subjects") & rows["insert"]]


def in_force(change: dict[str, Any], number: int) -> pd.DataFrame:
    told = [("open", {"unit_code": UNIT}), ("rectify", {"amendments": [change]}), ("close", {})]
    events = [
        {
            "sequence": 3 * number + step,
            "case_id": f"C{number}",
            "event": event,
            "happened_on": pd.Timestamp(2026, 10, 30),
            "payload": json.dumps(payload),
        }
        for step, (event, payload) in enumerate(told)
    ]
    return amendments_in_force(pd.DataFrame(events), dt.date(2026, 10, 31))


def test_putting_everything_right_opens_the_gates_and_raises_no_units_loss(
    items: pd.DataFrame, city: City
) -> None:
    """All forms filled in; second notices, audits from nothing and most members off the list stay open.

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
