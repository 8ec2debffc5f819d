"""Posts come with what each asks for, those that lack most people first."""

from __future__ import annotations

import pytest

from huanjie_lib.store.talent_folder import TalentRun
from huanjie_lib.views import talent
from tests.talent_runs import BRIDGE, CLOUD, HOSTILE


def test_posts_that_lack_most_people_come_first(run: TalentRun) -> None:
    posts = talent.post_list(run)
    assert posts[["unit_code", "post", "lacking"]].values.tolist() == [
        [BRIDGE, "secretary", 2],
        [HOSTILE, "director", 1],
        [CLOUD, "director", 0],
        [CLOUD, "supervision", 0],
    ]
    assert posts.loc[0, ["key", "township_name"]].tolist() == [f"{BRIDGE}/secretary", "石桥镇"]


def test_why_a_post_lacks_people_is_told(run: TalentRun) -> None:
    told = [talent.gap_sentence(row) for row in talent.post_list(run).to_dict("records")]
    assert told[0] == "要2名人选，已列0名，还缺2名：没有符合条件的人，须补充后备人选。"
    assert "已列1名，还缺1名：符合条件的有4人，但都已排满" in told[1]


def test_what_a_unit_raises_is_told_with_what_it_was(run: TalentRun) -> None:
    industry, finance, reputation = talent.asked(run, CLOUD, "director")
    assert [industry["label"], industry["weight"], industry["raised"]] == ["产业发展", 0.5, False]
    assert (finance["raised"], reputation["raised"]) == (True, False)
    assert finance["plain"] == pytest.approx(0.15 / 0.85)
    assert sum(row["weight"] for row in talent.asked(run, CLOUD, "director")) == pytest.approx(1)


def test_the_head_counts_what_the_tables_hold(run: TalentRun) -> None:
    found = talent.summary(run)
    assert (found["posts"], found["lacking_posts"], found["lacking_people"]) == (4, 2, 3)
    assert (found["people"], found["eligible"], found["stale"]) == (6, 4, 2)
    assert (found["short_units"], found["short_people"]) == (1, 1)
    assert (found["tried"], found["diverging"]) == (3, 1)
