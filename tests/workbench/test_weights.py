"""Every method proposes, and a proposal comes with what it would change."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from huanjie_lib.errors import UsageError
from huanjie_lib.parameters import load_parameters
from huanjie_lib.store.run_folder import Run
from huanjie_lib.workbench import WEIGHT_METHODS, propose_weights, weight_effect, write_proposal

AS_OF = dt.date(2026, 10, 31)
SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample"


@pytest.mark.parametrize("method", WEIGHT_METHODS)
def test_every_method_proposes_and_the_adopted_colours_are_the_published_ones(
    small_run: Run, method: Any
) -> None:
    judgments = SAMPLE / "judgments.csv" if method == "ahp" else None
    proposal = propose_weights(small_run, method, judgments=judgments)
    assert proposal.method == method
    effect = weight_effect(small_run, proposal)
    published = small_run.index.set_index("unit_code")
    assert effect.units["level"].to_dict() == published["level"].to_dict()
    np.testing.assert_allclose(effect.units["index"].reindex(published.index), published["index"])
    assert effect.hysteresis
    assert f"as_of={AS_OF}" in repr(effect)


def test_judgments_are_asked_for_where_needed_and_refused_where_not(small_run: Run) -> None:
    with pytest.raises(UsageError, match="用 --judgments 指定判断表"):
        propose_weights(small_run, "ahp")
    with pytest.raises(UsageError, match="只用于 ahp 和 combined"):
        propose_weights(small_run, "entropy", judgments=SAMPLE / "judgments.csv")
    with pytest.raises(ValueError, match="manual"):
        propose_weights(small_run, "manual")
    alone = propose_weights(small_run, "combined").explain()
    assert "采用的权重与熵权法、CRITIC 法、标准差法的平均值各占一半" in alone
    judged = propose_weights(small_run, "combined", judgments=SAMPLE / "judgments.csv").explain()
    assert "专家判断（层次分析法）与" in judged


def test_a_proposal_and_its_table_are_written_together_or_not_at_all(small_run: Run, tmp_path: Path) -> None:
    words: dict[str, Any] = {"author": "换届办", "reason": "试算", "effective_from": AS_OF}
    proposal = propose_weights(small_run, "equal")
    table, effect = write_proposal(small_run, proposal, tmp_path / "a", **words)
    rows = pd.read_csv(table, dtype=str)
    assert len(rows) == len(effect.units)
    assert rows["村（社区）"].str.startswith("'=").sum() == 1, "a name is never a formula"
    (tmp_path / "b_comparison.csv").write_text("x", encoding="utf-8")
    with pytest.raises(UsageError, match="还没有的文件"):
        write_proposal(small_run, proposal, tmp_path / "b", **words)
    assert not (tmp_path / "b").exists()
    assert load_parameters(tmp_path / "a").framework.reason == "试算"
