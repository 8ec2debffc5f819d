"""Kinds of posts have the order of the vocabulary, and whoever lives elsewhere has no home here."""

from __future__ import annotations

from huanjie_lib.store.talent_folder import TalentRun
from huanjie_lib.views.talent.rows import POST_ORDER, homes_of, records
from huanjie_lib.vocabulary import PostKind
from tests.talent_runs import LI, ZHANG_TOO


def test_posts_have_the_order_of_the_vocabulary() -> None:
    assert sorted(POST_ORDER, key=POST_ORDER.__getitem__) == [post.value for post in PostKind]


def test_everybody_is_told_and_whoever_lives_elsewhere_has_no_home_here(run: TalentRun) -> None:
    homes = {row["person_ref"]: row for row in records(homes_of(run))}
    assert sorted(homes) == sorted(run.table("people")["person_ref"])
    assert homes[LI]["unit_name"] == "上云村"
    assert homes[ZHANG_TOO]["unit_name"] != homes[ZHANG_TOO]["unit_name"]
