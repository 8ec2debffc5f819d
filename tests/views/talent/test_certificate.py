"""The proof fails with one check, and groups of a few are not counted."""

from __future__ import annotations

import pandas as pd

from huanjie_lib.store.talent_folder import TalentRun
from huanjie_lib.views import talent
from huanjie_lib.vocabulary import GateStatus
from tests.talent_runs import replaced


def test_one_failed_check_fails_the_whole(run: TalentRun) -> None:
    assert talent.proof(run)["status"] is GateStatus.PASS
    checks = run.table("certificate")
    open_one = checks.assign(status=["pass", "unknown", "pass", "pass"])
    assert talent.proof(replaced(run, certificate=open_one))["status"] is GateStatus.UNKNOWN
    failed = talent.proof(
        replaced(run, certificate=open_one.assign(status=["pass", "unknown", "fail", "pass"]))
    )
    assert (failed["status"], failed["failed"]) == (GateStatus.FAIL, 1)


def test_a_certificate_without_a_check_proves_nothing(run: TalentRun) -> None:
    nothing = replaced(run, certificate=run.table("certificate").head(0))
    assert talent.proof(nothing)["status"] is GateStatus.UNKNOWN


def test_columns_and_groups_are_called_by_their_names(run: TalentRun) -> None:
    found = talent.proof(run)
    (row,) = found["changed"]
    assert row["label"] == "性别"
    assert set(row["found"]) == {"flip", "permute", "delete"}
    assert [row["label"] for row in found["proxies"]] == ["性别：女", "少数民族"]
    assert "女的入选率只有最高一组的60.0%" in found["sentences"][0]


def test_yes_and_no_lie_as_text_and_are_told_apart(run: TalentRun) -> None:
    minority = run.table("impact").assign(attribute="is_minority", value=["True", "False"])
    found = talent.proof(replaced(run, impact=minority))
    assert [row["label"] for row in found["impact"]] == ["少数民族", "非少数民族"]
    assert "非少数民族30人中入选6人" in found["sentences"][0]


def test_groups_of_a_few_are_not_counted_and_nothing_gives_them_away(run: TalentRun) -> None:
    columns = list(run.table("impact").columns)
    rows = [
        ("is_minority", "False", 300, 220, 220 / 300, 1.0, None, None, False),
        ("is_minority", "True", 9, 6, 6 / 9, 0.909, 0.5, 1.6, False),
    ]
    impact = pd.DataFrame(rows, columns=columns).astype({"low": "float64", "high": "float64"})
    found = talent.proof(replaced(run, impact=impact))
    told = [(row["people"], row["taken"], row["share"], row["against"]) for row in found["impact"]]
    assert told == [("300", "＊", "—", "—"), ("9", "＊", "—", "—")]  # three of the nine were left out
    assert not {"total", "chosen", "rate", "ratio"} & set(found["impact"][0])
    (sentence,) = found["sentences"]
    assert "不足5人，不列数字" in sentence
    assert "入选率都不低于最高一组的五分之四" in sentence
    behind = talent.proof(replaced(run, impact=impact.assign(flagged=[False, True])))
    assert "少数民族的入选率不足最高一组的五分之四" in behind["sentences"][0]


def test_ages_are_called_so(run: TalentRun) -> None:
    ages = run.table("impact").assign(attribute="age", value=["35岁及以下", "36至45岁"])
    found = talent.proof(replaced(run, impact=ages))
    assert [row["label"] for row in found["impact"]] == ["年龄：35岁及以下", "年龄：36至45岁"]
    assert found["sentences"][0].startswith("年龄：35岁及以下30人中入选10人")


def test_what_wants_a_cause_found_is_counted_and_fails_nothing(run: TalentRun) -> None:
    proxies, impact = run.table("proxies"), run.table("impact")
    both = replaced(run, proxies=proxies.assign(status="fail"), impact=impact.assign(flagged=[True, False]))
    found = talent.proof(both)
    assert (found["status"], found["to_trace"]) == (GateStatus.PASS, len(proxies) + 1)
    none = replaced(run, proxies=proxies.assign(status="pass"), impact=impact.assign(flagged=False))
    assert talent.proof(none)["to_trace"] == 0
