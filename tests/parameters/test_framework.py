from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from huanjie_lib.parameters import load_parameters
from tests.parameters.packs import Edit, refusal


def first(framework: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = framework["dimensions"][0]["indicators"][0]
    return found


def test_default_framework_is_the_work_plans() -> None:
    framework = load_parameters().framework
    assert len(framework.dimensions) == 7
    assert 28 <= len(framework.indicators) <= 40
    for indicator in framework.indicators:
        assert indicator.source
        assert indicator.definition
        assert "{value}" in indicator.reason
        assert indicator.unit


def test_every_default_indicator_has_a_safe_and_a_worst_end() -> None:
    for indicator in load_parameters().framework.indicators:
        severities = [s for _, s in indicator.reference_points]
        assert (min(severities), max(severities)) == (0, 1), indicator.id


@pytest.mark.parametrize(
    ("edits", "told"),
    [
        (
            {"framework": lambda d: d["dimensions"][0].update(weight=0.3)},
            "各维度权重合计：发现“1.1”；应为：合计为 1",
        ),
        ({"framework": lambda d: first(d).update(weight=0.5)}, "指标权重合计：发现“1.25”"),
        (
            {"framework": lambda d: first(d).update(weight=-0.25)},
            "dimensions[0].indicators[0].weight：发现“-0.25”",
        ),
        ({"framework": lambda d: first(d).update(reference_points=[[0, 0], [0, 1]])}, "数值严格递增"),
        ({"framework": lambda d: first(d).update(reference_points=[[0, 0], [1, 1], [2, 0]])}, "单调的严重度"),
        ({"framework": lambda d: first(d).update(reference_points=[[0, 0], [1, 2]])}, "0 到 1 之间的严重度"),
        ({"framework": lambda d: first(d).update(reference_points=[[0, 1], [1, 1]])}, "会变化的严重度"),
        ({"framework": lambda d: first(d).update(missing={"policy": "best"})}, "missing.policy：发现“best”"),
        (
            {"framework": lambda d: first(d).update(missing={"policy": "severity", "severity": 0.1})},
            "missing.severity：发现“0.1”",
        ),
        ({"framework": lambda d: first(d).update(wieght=1)}, "indicators[0].wieght"),
        ({"framework": lambda d: first(d).pop("source")}, "indicators[0].source：发现“缺少此项”"),
        (
            {"framework": lambda d: first(d)["measure"].update(function="guess")},
            "measure.function：发现“guess”",
        ),
        (
            {"framework": lambda d: d["dimensions"][1]["indicators"][0]["measure"]["options"].clear()},
            "发现“缺少此项”；应为：departments",
        ),
        ({"framework": lambda d: first(d).update(measure={"kind": "metric", "metric": "gdp"})}, "发现“gdp”"),
        (
            {"framework": lambda d: first(d).update(measure={"kind": "metric", "metric": "petitions_total"})},
            "流量指标必填、存量指标不填",
        ),
        ({"framework": lambda d: first(d).update(id="debt_ratio")}, "不重复的编号"),
        ({"framework": lambda d: d.update(effective_from="someday")}, "effective_from：发现“someday”"),
        (
            {"classification": lambda d: d.update(yellow_from=85)},
            "yellow_from：发现“85”；应为：小于 green_from（80）",
        ),
    ],
)
def test_a_bad_framework_is_refused_and_the_place_named(
    pack: Callable[..., Path], edits: dict[str, Edit], told: str
) -> None:
    assert told in refusal(pack(**edits))


def test_a_dimension_without_indicators_for_a_kind_is_refused(pack: Callable[..., Path]) -> None:
    def villages_only(data: dict[str, Any]) -> None:
        for indicator in data["dimensions"][0]["indicators"]:
            indicator["applies_to"] = ["村"]

    assert "适用于社区的指标权重合计：发现“0”" in refusal(pack(framework=villages_only))


def test_an_uncertainty_out_of_range_is_refused_where_it_stands(pack: Callable[..., Path]) -> None:
    wrong = {"draws": 0, "weight_concentration": 0.5, "reference_shift": -1, "contested_below": "many"}
    text = refusal(pack(uncertainty=lambda u: u.update(wrong)))
    assert "共 4 处问题" in text
    for said in (
        "uncertainty.yaml：draws：发现“0”；应为：不小于 1 的数",
        "uncertainty.yaml：weight_concentration：发现“0.5”；应为：不小于 1 的数",
        "uncertainty.yaml：reference_shift：发现“-1”；应为：不小于 0 的数",
        "uncertainty.yaml：contested_below：发现“many”；应为：数",
    ):
        assert said in text
