"""Groups of assessment and how a result came about."""

from __future__ import annotations

from huanjie_lib.store.talent_folder import TalentRun
from huanjie_lib.views import talent
from tests.talent_runs import LI, OUYANG, ZHANG, ZHAO


def test_a_trial_is_told_under_the_name_given(run: TalentRun) -> None:
    told = talent.trial_sentence(run, LI, name="李*")
    assert told.startswith("李*线上评分折合95.0分、线下考核折合60.0分")
    assert told.endswith("请先查明原因再使用合成分。")
    assert talent.trial_sentence(run, ZHAO, name="赵**") == ""


def test_races_by_group_and_who_diverges(run: TalentRun) -> None:
    frame = talent.races(run)
    assert frame["group_ref"].tolist() == ["G1", "G2"]
    assert frame[["people", "diverging", "parts"]].values.tolist() == [[2, 0, 1], [1, 1, 1]]
    assert talent.race(run, "G1")["person_ref"].tolist() == [OUYANG, ZHANG]
