"""False discovery control against the worked example of its authors.

Benjamini & Hochberg (1995), *Controlling the false discovery rate: a practical and powerful approach to
multiple testing*, JRSS-B 57(1):289-300, section 4.1: fifteen p-values of a trial of thrombolysis, of which
Bonferroni's procedure rejects three at 0.05 and theirs four.
"""

from __future__ import annotations

import numpy as np

from huanjie_lib.risk.signals import adjust

P_VALUES = np.array(
    [
        *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344),
        *(0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000),
    ]
)


def test_four_hypotheses_are_rejected_where_bonferroni_rejects_three() -> None:
    assert (adjust(P_VALUES) <= 0.05).sum() == 4
    assert (P_VALUES * len(P_VALUES) <= 0.05).sum() == 3


def test_a_unit_without_a_p_value_changes_nothing_for_the_others() -> None:
    with_gap = np.insert(P_VALUES, 3, np.nan)
    q_values = adjust(with_gap)
    assert np.isnan(q_values[3])
    np.testing.assert_array_equal(np.delete(q_values, 3), adjust(P_VALUES))
