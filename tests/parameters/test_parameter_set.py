import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

from huanjie_lib.errors import ParameterError
from huanjie_lib.parameters import DerivedMeasure, ParameterSet, UncertaintyAssumptions, load_parameters


def test_a_rule_before_its_day_is_refused_with_the_dates_known() -> None:
    with pytest.raises(ParameterError, match=r"audit_notice_min_count 在 2010-01-01 没有有效值") as caught:
        load_parameters().rule("audit_notice_min_count", dt.date(2010, 1, 1))
    assert "2018-12-29" in str(caught.value)


def test_rule_references_resolve_to_values() -> None:
    parameters = load_parameters()
    measure = parameters.framework.indicator("audit_notice_deficit").measure
    assert isinstance(measure, DerivedMeasure)
    assert parameters.options(measure.options, dt.date(2026, 10, 31)) == {
        "min_count": 2,
        "min_days": 5,
        "min_gap_days": 0,
    }


def test_version_changes_with_any_parameter(pack: Callable[..., Path]) -> None:
    same = load_parameters(pack())
    other = load_parameters(pack(classification=lambda d: d.update(green_from=81)))
    assert same.digest == load_parameters().digest
    assert other.digest != same.digest
    assert other.version != same.version
    assert ParameterSet.from_json(other.canonical_json()).digest == other.digest
    copied = same.model_copy(update={"classification": other.classification})  # of one whose digest is known
    assert copied.digest == other.digest


def test_the_uncertainty_is_the_packs_or_else_the_defaults(pack: Callable[..., Path]) -> None:
    folder = pack(uncertainty=lambda u: u.update(weight_concentration=None, draws=50))
    declared = load_parameters(folder)
    assert (declared.assumptions.weight_concentration, declared.assumptions.draws) == (None, 50)
    assert ParameterSet.from_json(declared.canonical_json()) == declared
    (folder / "uncertainty.yaml").unlink()
    silent = load_parameters(folder)
    assert silent.uncertainty is None
    assert silent.assumptions == UncertaintyAssumptions()
    assert silent.version != declared.version


def test_packs_that_are_not_in_force_are_told(pack: Callable[..., Path]) -> None:
    folder = pack(
        framework=lambda f: f.update(effective_from="2027-01-01"),
        classification=lambda c: c.update(effective_to="2026-06-30"),
    )
    parameters = load_parameters(folder)
    told = [str(fault) for fault in parameters.not_in_force(dt.date(2026, 7, 1))]
    assert [t.split("；")[0] for t in told] == [
        "framework.yaml：发现“2027-01-01 起有效”",
        "classification.yaml：发现“2026-01-01 起至 2026-06-30 有效”",
    ]
    assert len(parameters.not_in_force(dt.date(2026, 6, 30))) == 1
    assert len(parameters.not_in_force(dt.date(2027, 1, 1))) == 1
