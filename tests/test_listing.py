"""Who may be proposed and what units lose: the part of matching that counties have in common with cities."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from huanjie_lib.listing import losses_of
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
