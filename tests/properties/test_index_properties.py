"""Properties of the index that hold for any values: additive, monotone, independent of the rows on view."""

import datetime as dt

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from huanjie_lib.parameters import Framework, load_parameters
from huanjie_lib.pipeline import run_risk
from huanjie_lib.risk.gates import admitted, evaluate_gates
from huanjie_lib.risk.prepared import prepare
from huanjie_lib.risk.scoring import Scores, score

PARAMETERS = load_parameters()
ADDITIVE = PARAMETERS.framework
STRICT = ADDITIVE.model_copy(
    update={"dimensions": tuple(d.model_copy(update={"power": 3.0}) for d in ADDITIVE.dimensions)}
)
IDS = [i.id for i in ADDITIVE.indicators]
LOW = np.array([i.reference_points[0][0] for i in ADDITIVE.indicators])
HIGH = np.array([i.reference_points[-1][0] for i in ADDITIVE.indicators])
WORSE = np.array(
    [1.0 if i.reference_points[-1][1] > i.reference_points[0][1] else -1.0 for i in ADDITIVE.indicators]
)

frameworks = st.sampled_from([ADDITIVE, STRICT])
shares = arrays(np.float64, (6, len(IDS)), elements=st.floats(-0.2, 1.2))
holes = arrays(np.bool_, (6, len(IDS)))


def frame(share: np.ndarray, hole: np.ndarray | None = None) -> pd.DataFrame:
    values = LOW + share * (HIGH - LOW)
    if hole is not None:
        values = np.where(hole, np.nan, values)
    return pd.DataFrame(values, index=list("abcdef"), columns=IDS)


def scored(values: pd.DataFrame, framework: Framework) -> Scores:
    kinds = pd.Series(["village", "community"] * 3, index=list("abcdef")).reindex(values.index)
    return score(values, kinds, framework)


@given(frameworks, shares, holes)
def test_points_lost_add_up_to_what_the_index_lacks(
    framework: Framework, share: np.ndarray, hole: np.ndarray
) -> None:
    scores = scored(frame(share, hole), framework)
    np.testing.assert_allclose(scores.points.sum(axis=1) + scores.index, 100, atol=1e-9)
    assert (scores.points.fillna(0) >= 0).all(axis=None)
    assert ((scores.index_low <= scores.index + 1e-9) & (scores.index <= scores.index_high + 1e-9)).all()
    assert ((scores.index_low >= -1e-9) & (scores.index_high <= 100 + 1e-9)).all()


@given(frameworks, shares, st.integers(0, len(IDS) - 1), st.floats(0, 1))
def test_a_worse_value_never_raises_the_index(
    framework: Framework, share: np.ndarray, column: int, step: float
) -> None:
    before = frame(share)
    after = before.copy()
    after.iloc[:, column] += step * WORSE[column] * abs(HIGH[column] - LOW[column])
    assert (scored(after, framework).index <= scored(before, framework).index + 1e-9).all()


@given(frameworks, shares, holes, st.permutations(list("abcdef")), st.integers(1, 5))
def test_row_order_and_other_units_do_not_matter(
    framework: Framework, share: np.ndarray, hole: np.ndarray, order: list[str], keep: int
) -> None:
    values = frame(share, hole)
    all_units = scored(values, framework)
    some = scored(values.loc[order[:keep]], framework)
    for name in ("index", "index_low", "index_high"):
        expected = getattr(all_units, name).loc[order[:keep]]
        pd.testing.assert_series_equal(getattr(some, name), expected, check_exact=True)


@given(frameworks, shares, holes, holes)
def test_losing_a_value_never_raises_the_lower_bound(
    framework: Framework, share: np.ndarray, hole: np.ndarray, more: np.ndarray
) -> None:
    before = scored(frame(share, hole), framework)
    after = scored(frame(share, hole | more), framework)
    assert (after.index_low <= before.index_low + 1e-9).all()
    assert (after.index_high >= before.index_high - 1e-9).all()


AS_OF = dt.date(2026, 10, 31)
facts = st.dictionaries(st.sampled_from(sorted(ADDITIVE.metrics)), st.integers(0, 5000), max_size=20)


def without_an_audit(metrics: dict[str, int]) -> dict[str, pd.DataFrame]:
    code = "990101001201"
    return {
        "units": pd.DataFrame(
            {
                "unit_code": [code],
                "unit_name": ["甲村"],
                "unit_kind": ["village"],
                "township_code": ["990101001"],
            }
        ),
        "facts": pd.DataFrame(
            {
                "unit_code": [code] * len(metrics),
                "as_of": pd.to_datetime(["2026-10-31"] * len(metrics)),
                "metric": list(metrics),
                "value": [float(v) for v in metrics.values()],
            }
        ),
        "screenings": pd.DataFrame({"unit_code": [code], "screened_on": pd.to_datetime(["2026-10-01"])}),
        "audit_projects": pd.DataFrame(
            {
                "project_id": ["p"],
                "unit_code": ["990101001299"],
                "plan_on": pd.to_datetime(["2026-01-01"]),
                "started_on": pd.to_datetime(["2026-02-01"]),
            }
        ),
    }


@settings(max_examples=25, deadline=None)
@given(facts)
def test_nothing_compensates_for_a_failed_audit_gate(metrics: dict[str, int]) -> None:
    """Whatever the facts say, a unit without an audit is not admitted."""
    gates = evaluate_gates(prepare(without_an_audit(metrics)), PARAMETERS, AS_OF)
    assert not admitted(gates).any()


@settings(max_examples=3, deadline=None)
@given(facts)
def test_a_run_takes_the_gates_as_they_are(metrics: dict[str, int]) -> None:
    tables = without_an_audit(metrics)
    gates = evaluate_gates(prepare(tables), PARAMETERS, AS_OF)
    pd.testing.assert_frame_equal(run_risk(tables, PARAMETERS, as_of=AS_OF).gates, gates, check_exact=True)
