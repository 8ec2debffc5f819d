"""Who may be proposed and what units lose: the part of matching that counties have in common with cities."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from huanjie_lib.errors import DataError
from huanjie_lib.listing import judge_people, losses_of, table_of, talent_pack
from huanjie_lib.parameters import load_parameters


def test_losses_are_shares_of_what_is_known_to_be_lost() -> None:
    parameters = load_parameters()
    dimension = parameters.framework.dimensions[0]
    frame = pd.DataFrame(
        {
            "unit_code": np.repeat(["a", "b", "c"], len(dimension.indicators)),
            "indicator": [i.id for i in dimension.indicators] * 3,
            "status": "observed",
            "points": [25 * dimension.weight * i.weight for i in dimension.indicators] * 3,
        }
    )
    light = frame["indicator"] == min(dimension.indicators, key=lambda i: i.weight).id
    frame.loc[light & (frame["unit_code"] == "b"), ["status", "points"]] = ["missing", 99.0]
    frame.loc[frame["unit_code"] == "c", "status"] = "stale"
    share = losses_of(frame, parameters)["share"]
    assert share.iloc[:2].tolist() == pytest.approx([0.25, 0.25])  # what is not known tilts nothing
    assert np.isnan(share.iloc[2])


def test_whether_kin_are_declared_at_all_may_be_told_from_beyond() -> None:
    """A few people's kinships may be empty because none of them has kin, or because nobody was asked."""
    posts = pd.DataFrame({"unit_code": ["u1"], "post": ["supervision"]})
    later = {"registered_on": pd.to_datetime(["2026-12-01"]), "person_ref": ["P1"]}
    people = pd.concat([table_of({}, "people"), pd.DataFrame(later)], ignore_index=True)
    members = pd.DataFrame(
        {
            "unit_code": ["u1"],
            "person_ref": ["M1"],
            "post": ["director"],
            "term_from": pd.NaT,
            "term_to": pd.NaT,
        }
    ).astype({"term_from": "datetime64[us]", "term_to": "datetime64[us]"})
    tables, asked = {"people": people, "audit_subjects": members}, {"as_of": dt.date(2026, 10, 31)}
    alone = judge_people(tables, posts, load_parameters(), **asked)
    assert alone.unchecked["reason"].tolist() == ["回避关系没有申报，未能核对"]
    assert judge_people(tables, posts, load_parameters(), **asked, kin_declared=True).unchecked.empty
    assert alone.people.empty, "whoever registers later is not known yet"
    assert repr(alone) == "Judged(people=0, kin=0, as_of=2026-10-31)"
    assert alone.to_frame().empty
    with pytest.raises(KeyError):
        alone.explain("P1")


def test_without_a_talent_pack_nobody_is_listed() -> None:
    with pytest.raises(DataError, match=r"talent\.yaml"):
        talent_pack(load_parameters().model_copy(update={"talent": None}))
