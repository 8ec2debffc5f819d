"""What is late or lacking most comes first."""

from __future__ import annotations

import pandas as pd

from huanjie_lib.store.talent_folder import TalentRun
from huanjie_lib.views import talent
from tests.talent_runs import BRIDGE, CLOUD, HOSTILE


def test_what_is_late_comes_first_and_what_is_done_last(run: TalentRun) -> None:
    frame = talent.plans(run)
    assert frame["state"].tolist() == ["overdue", "proposed", "done"]
    assert frame["unit_name"].iloc[0] == "上云村"
    assert pd.isna(frame["unit_name"].iloc[1])


def test_units_that_lack_reserve_come_first(run: TalentRun) -> None:
    assert talent.quota(run)["unit_code"].tolist() == [BRIDGE, HOSTILE, CLOUD]


def test_tasks_of_everybody_narrowing_most_first(run: TalentRun) -> None:
    assert talent.all_tasks(run)["gain"].tolist() == [40.0, 30.0, 12.0]
