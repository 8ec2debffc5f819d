from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from huanjie_lib.parameters import ParameterSet, load_parameters
from tests.parameters.packs import Edit, refusal


def library(**changes: Any) -> dict[str, Edit]:
    """An edit of one measure of the library, by its id; ``None`` deletes a key."""

    def edit(data: dict[str, Any]) -> None:
        for measure in data["measures"]:
            measure.update(changes.get(measure["id"], {}))

    return {"measures": edit}


@pytest.mark.parametrize(
    ("edits", "told"),
    [
        (library(write_plans={"requires": ["screen_conflict"]}), "requires：发现“screen_conflict”"),
        (library(write_plans={"requires": ["write_plans"]}), "requires：发现“write_plans”"),
        (library(write_plans={"id": "finish_talks"}), "id：发现“finish_talks”；应为：不重复的编号"),
        (library(write_plans={"cost": {"fixed": 0}}), "cost：发现“0”；应为：大于 0 的工作组日"),
        (library(write_plans={"cost": {"fixed": -1}}), "cost.fixed：发现“-1”；应为：不小于 0 的数"),
        (library(write_plans={"cost": {"each": 1, "per": "roll_gap"}}), "cost.per：发现“roll_gap”"),
        (library(write_plans={"times": 2}), "可重复的措施用 add"),
        (library(write_plans={"effects": []}), "补齐包干领导、稳控预案和化解方案）：发现“没有效果”"),
        (library(write_plans={"bounded_by": ["roll_gap"]}), "bounded_by：发现“roll_gap”"),
        (library(write_plans={"gates": ["bribe"]}), "gates：发现“bribe”；应为：gates.yaml 中的准入条件"),
        (library(write_plans={"confidence": "X"}), "confidence：发现“X”"),
        (library(write_plans={"duration_days": 0}), "duration_days：发现“0”；应为：不小于 1 的数"),
        (library(combined_visit={"requires": ["write_plans"]}), "不被本措施排斥或替代的措施"),
        (
            library(write_plans={"effects": [{"kind": "set", "indicator": "gdp", "value": 0}]}),
            "effects[0].indicator：发现“gdp”；应为：框架中的指标",
        ),
        (
            library(write_plans={"effects": [{"kind": "set", "indicator": "roll_gap", "value": 0.15}]}),
            "effects[0].value：发现“0.15”；应为：好于最差参考点的值（变小为好）",
        ),
        (
            library(recruit_reserve={"effects": [{"kind": "add", "indicator": "reserve_people", "step": -1,
                                                  "until": 2}]}),
            "effects[0].step：发现“-1”；应为：使后备人选数变大的数",
        ),
        (
            library(reduce_debt={"effects": [{"kind": "share", "indicator": "debt_ratio", "share": 1.2,
                                              "toward": 0}]}),
            "share：发现“1.2”；应为：不大于 1 的数",
        ),
        (
            library(verify_leads={"effects": [{"kind": "set", "indicator": "leads_rate", "value": 0}]}),
            "发现“换届线索率”；应为：不在 unremediable 中的指标；处理办法：既成事实不能靠措施改变",
        ),
        (library(verify_leads={"answers": ["roll_gap"]}), "answers：发现“roll_gap”"),
        (library(recheck_roll={"reports": True}), "发现“补报措施带有效果”"),
        (
            library(recheck_roll={"effects": [{"kind": "set", "indicator": "debt_ratio", "value": 1}]}),
            "指标 roll_gap（选民登记缺口率）：发现“没有措施”",
        ),
        (
            {"measures": lambda d: d["unremediable"].append({"indicator": "gdp", "reason": "无"})},
            "unremediable[13].indicator：发现“gdp”",
        ),
        (library(**{m: {"times": 50} for m in ("resolve_backlog", "mediate_disputes", "hold_meetings",
                                               "close_problem", "close_overdue_problem", "answer_objections",
                                               "post_notices", "recruit_reserve")}),
         "次数组合不超过 2 的 62 次方"),
    ],
)  # fmt: skip
def test_a_bad_measures_library_is_refused_and_the_place_named(
    pack: Callable[..., Path], edits: dict[str, Edit], told: str
) -> None:
    assert told in refusal(pack(**edits))


def test_measures_that_wait_for_one_another_are_refused(pack: Callable[..., Path]) -> None:
    circle = library(
        screen_conflicts={"requires": ["finish_talks"]}, finish_talks={"requires": ["write_plans"]}
    )
    text = refusal(pack(**circle))
    assert text.count("不循环的先后次序") == 3  # write_plans waits for screen_conflicts already
    # a substitute stands for what it replaces
    through = library(
        combined_visit={"requires": ["recheck_roll"]}, recheck_roll={"requires": ["finish_talks"]}
    )
    assert "入户核对选民登记）.requires：发现“finish_talks”；应为：不循环的先后次序" in refusal(
        pack(**through)
    )


def test_the_measures_library_is_optional_and_part_of_the_version(pack: Callable[..., Path]) -> None:
    folder = pack(**library(write_plans={"cost": {"fixed": 2}}))
    assert load_parameters(folder).digest != load_parameters().digest
    (folder / "measures.yaml").unlink()
    bare = load_parameters(folder)
    assert bare.measures is None
    assert ParameterSet.from_json(bare.canonical_json()) == bare
    shipped = load_parameters().measures
    assert shipped is not None
    assert shipped.measure("recheck_roll").counter == ""
    with pytest.raises(KeyError):
        shipped.measure("bribe")
