"""Laws of portraits that hold exactly for any evidence: nothing is gained by hiding, nor by waiting."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from huanjie_lib.parameters import EvidenceRule, load_parameters
from huanjie_lib.talent.portrait import ASPECTS, Portraits, portraits
from huanjie_lib.talent.top_k import scores
from huanjie_lib.vocabulary import EvidenceKind, PortraitAspect

SHIPPED = load_parameters().talent
assert SHIPPED is not None
REFS = ("P1", "P2", "P3")
FEW = (PortraitAspect.FINANCE, PortraitAspect.LAW)
FEWER = settings(max_examples=50)
COLUMNS = ["person_ref", "aspect", "kind", "year", "rating", "dated_on"]

days = st.dates(dt.date(2021, 1, 1), dt.date(2026, 12, 31))
kinds = st.sampled_from([kind.value for kind in (EvidenceKind.APPRAISAL, EvidenceKind.TRAINING)])
rows = st.tuples(
    st.sampled_from(REFS),
    st.sampled_from([aspect.value for aspect in FEW]),
    kinds,
    st.integers(2021, 2027),
    st.floats(0, 100),
    days,
)
evidences = st.lists(rows, max_size=14, unique_by=lambda row: row[:4])


@st.composite
def packs(draw: st.DrawFn) -> Any:
    """Any shares, half-lives and horizons for two aspects and two kinds; the shipped ones for the rest."""
    assert SHIPPED is not None
    rules = [rule for rule in SHIPPED.evidence if rule.aspect not in FEW]
    for aspect in FEW:
        share = draw(st.floats(0.01, 0.99))
        for kind, part in ((EvidenceKind.APPRAISAL, share), (EvidenceKind.TRAINING, 1 - share)):
            rules.append(
                EvidenceRule(
                    aspect=aspect,
                    kind=kind,
                    share=part,
                    half_life_years=draw(st.floats(0.05, 50)),
                    horizon_years=draw(st.integers(1, 6)),
                    due=draw(st.sampled_from(["within", "after"])),
                )
            )
    return SHIPPED.model_copy(update={"evidence": tuple(rules), "missing": draw(st.floats(0, 100))})


def portrayed(drawn: list[tuple[Any, ...]], by: Any, as_of: dt.date) -> Portraits:
    frame = pd.DataFrame(drawn, columns=COLUMNS).astype(
        dict.fromkeys(COLUMNS[:3], "str")
        | {"year": "int64", "rating": "float64", "dated_on": "datetime64[us]"}
    )
    return portraits(pd.DataFrame({"person_ref": REFS}), frame, None, by, as_of=as_of)


@FEWER
@given(evidences, packs(), days)
def test_intervals_lie_on_the_scale_and_hold_their_mean(
    drawn: list[tuple[Any, ...]], by: Any, as_of: dt.date
) -> None:
    found = portrayed(drawn, by, as_of)
    assert (found.low >= 0).all()
    assert (found.low <= found.mean).all()
    assert (found.mean <= found.high).all()
    assert (found.high <= 100).all()
    np.testing.assert_allclose(found.high - found.low, 100 * (1 - found.known), atol=1e-9)


@FEWER
@given(evidences, packs(), days, st.data())
def test_hiding_any_evidence_only_widens(
    drawn: list[tuple[Any, ...]], by: Any, as_of: dt.date, data: st.DataObject
) -> None:
    """More evidence only narrows: hiding an item, good or bad, never raises the lower end."""
    kept = [row for row in drawn if data.draw(st.booleans())]
    whole, part = portrayed(drawn, by, as_of), portrayed(kept, by, as_of)
    assert (part.low <= whole.low).all()
    assert (part.high >= whole.high).all()
    assert (part.known <= whole.known).all()
    for profile in by.profiles:
        weights = np.array([[profile.weights.get(aspect, 0.0) for aspect in ASPECTS]] * len(REFS))
        assert (scores(part.low, weights) <= scores(whole.low, weights)).all()


@FEWER
@given(evidences.filter(bool), packs(), days, st.data())
def test_a_better_rating_lowers_nothing(
    drawn: list[tuple[Any, ...]], by: Any, as_of: dt.date, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(drawn) - 1))
    *place, rating, day = drawn[at]
    better = [*drawn[:at], (*place, data.draw(st.floats(rating, 100)), day), *drawn[at + 1 :]]
    before, after = portrayed(drawn, by, as_of), portrayed(better, by, as_of)
    for name in ("low", "mean", "high"):
        assert (getattr(after, name) >= getattr(before, name)).all()
    for profile in by.profiles:
        weights = np.array([[profile.weights.get(aspect, 0.0) for aspect in ASPECTS]] * len(REFS))
        assert (scores(after.mean, weights) >= scores(before.mean, weights)).all()
    assert (after.known == before.known).all()


@FEWER
@given(evidences, packs(), days, st.randoms(use_true_random=False))
def test_the_order_of_rows_and_later_evidence_change_no_byte(
    drawn: list[tuple[Any, ...]], by: Any, as_of: dt.date, shuffle: Any
) -> None:
    found = portrayed(drawn, by, as_of)
    mixed = [row for row in drawn if row[5] <= as_of]
    shuffle.shuffle(mixed)
    again = portrayed(mixed, by, as_of)
    for name in ("low", "mean", "high", "known"):
        assert getattr(again, name).tobytes() == getattr(found, name).tobytes()
    pd.testing.assert_frame_equal(again.tasks, found.tasks)
    pd.testing.assert_frame_equal(again.unused, found.unused)


@FEWER
@given(evidences, packs(), days, st.integers(0, 900))
def test_waiting_without_new_evidence_never_narrows(
    drawn: list[tuple[Any, ...]], by: Any, as_of: dt.date, wait: int
) -> None:
    known = [row for row in drawn if row[5] <= as_of]
    counted = [
        row for row in known if row[3] < as_of.year
    ]  # an appraisal of this year counts from next year on
    now, then = portrayed(counted, by, as_of), portrayed(counted, by, as_of + dt.timedelta(wait))
    assert (then.low <= now.low + 1e-8).all()
    assert (then.high >= now.high - 1e-8).all()


@settings(max_examples=25)
@given(evidences, packs(), days)
def test_one_person_is_not_another(drawn: list[tuple[Any, ...]], by: Any, as_of: dt.date) -> None:
    whole = portrayed(drawn, by, as_of)
    for row, ref in enumerate(REFS):
        alone = portrayed([item for item in drawn if item[0] == ref], by, as_of)
        for name in ("low", "mean", "high", "known"):
            assert (getattr(alone, name)[row] == getattr(whole, name)[row]).all()
