"""What is left of evidence after some years: ``2^(−age / half-life)``, the definition of a half-life.

Closed form, computed apart (``data/half_life.json``): one half-life leaves a half, two leave a quarter.
"""

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pytest

from huanjie_lib.parameters import EvidenceRule
from huanjie_lib.talent.portrait import WHOLE, _cells, decay
from huanjie_lib.vocabulary import EvidenceKind, PortraitAspect

ORACLE = json.loads((Path(__file__).parent / "data" / "half_life.json").read_text(encoding="utf-8"))
AGES = [case["age"] for case in ORACLE["cases"]]
LEFT = [case["weight"] for case in ORACLE["cases"]]


def test_what_is_left_is_what_the_definition_says() -> None:
    found = decay(np.array(AGES, dtype=np.float64), ORACLE["half_life_years"])
    assert found.tolist() == pytest.approx(LEFT, abs=1e-15)


def test_years_of_evidence_weigh_by_what_is_left_of_them() -> None:
    rule = EvidenceRule(
        aspect=PortraitAspect.LAW,
        kind=EvidenceKind.RECORD,
        share=1.0,
        half_life_years=ORACLE["half_life_years"],
        horizon_years=max(AGES) + 1,
    )
    cells = _cells([rule], dt.date(2026, 12, 31))
    newest = cells.capacity[0]
    assert [cells.capacity[age] / newest for age in AGES] == pytest.approx(LEFT, abs=1e-3)  # leap years
    assert cells.capacity.sum() == WHOLE
