import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from huanjie_lib.parameters import ParameterSet, load_parameters
from huanjie_lib.vocabulary import CaseKind
from tests.parameters.packs import Edit, refusal


def casework(**changes: Any) -> dict[str, Edit]:
    """An edit of the casework pack."""
    return {"casework": lambda data: data.update(changes)}


def calendar(**changes: Any) -> dict[str, Edit]:
    """An edit of the calendar of the casework pack."""
    return {"casework": lambda data: data["calendar"].update(changes)}


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


RULE = {"kind": "plan", "due_workdays": 5, "owner": "镇街"}


@pytest.mark.parametrize(
    ("edits", "told"),
    [
        (casework(rules=[RULE, RULE]), "rules[plan]：发现“写了两次”；应为：每类案件一条规定"),
        (casework(rules=[]), "casework.yaml：rules：发现"),
        (casework(rules=[RULE | {"kind": "rumour"}]), "rules[0].kind：发现“rumour”"),
        (casework(rules=[RULE | {"due_workdays": 0}]), "rules[0].due_workdays：发现“0”；应为：不小于 1 的数"),
        (casework(rules=[RULE | {"owner": " "}]), "rules[0].owner：发现"),
        (casework(known_share=1.5), "known_share：发现“1.5”；应为：不大于 1 的数"),
        (casework(due_soon_workdays=-1), "due_soon_workdays：发现“-1”"),
        (casework(audit_department_aliases={"公安": []}), "audit_department_aliases[公安]"),
        (casework(audit_department_aliases={"纪委": ["财政"]}), "发现“财政”；应为：一个名称只指一个单位"),
        (calendar(years=[2031]), "calendar.source：发现“没有填写”；应为：放假通知的文号"),
        (
            calendar(years=[2031], source="x", days_off=[day("2032-01-01")]),
            "calendar[2032-01-01]：发现“2032 年”；应为：years 所列年份的日期",
        ),
        (calendar(years=[2031], source="x", days_off=[day("2030-12-24")]), "calendar[2030-12-24]"),
        (
            calendar(years=[2031], source="x", days_off=[day("2031-01-04")]),
            "calendar[2031-01-04]：发现“星期六”；应为：星期一至星期五",
        ),
        (
            calendar(years=[2031], source="x", workdays=[day("2031-01-03")]),
            "calendar[2031-01-03]：发现“星期五”；应为：星期六或星期日",
        ),
        (
            calendar(years=[2031], source="x", days_off=[day("2031-01-04")], workdays=[day("2031-01-04")]),
            "calendar[2031-01-04]：发现“既是休息日又是上班日”",
        ),
        (calendar(years=[31]), "calendar.years[0]：发现“31”"),
    ],
)
def test_a_bad_casework_pack_is_refused_and_the_place_named(
    pack: Callable[..., Path], edits: dict[str, Edit], told: str
) -> None:
    assert told in refusal(pack(**edits))


def test_new_years_days_off_may_lie_in_the_december_before(pack: Callable[..., Path]) -> None:
    off = [day("2030-12-31"), day("2031-01-01")]
    folder = pack(**calendar(years=[2031], source="国办发明电", days_off=off, workdays=[day("2030-12-29")]))
    found = load_parameters(folder).casework
    assert found is not None
    assert found.calendar.days_off == tuple(off)


def test_the_casework_pack_is_optional_and_part_of_the_version(pack: Callable[..., Path]) -> None:
    folder = pack(**casework(due_soon_workdays=9))
    changed = load_parameters(folder)
    assert changed.digest != load_parameters().digest
    assert ParameterSet.from_json(changed.canonical_json()) == changed
    (folder / "casework.yaml").unlink()
    assert load_parameters(folder).casework is None


def test_the_shipped_pack_says_how_every_kind_of_case_is_dealt_with() -> None:
    shipped = load_parameters().casework
    assert shipped is not None
    assert {rule.kind for rule in shipped.rules} == set(CaseKind)
    assert shipped.rule(CaseKind.PLAN).due_workdays == 5
    with pytest.raises(KeyError):
        shipped.model_copy(update={"rules": shipped.rules[:1]}).rule(CaseKind.DISPUTE)
