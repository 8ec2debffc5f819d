from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from huanjie_lib.errors import ParameterError
from huanjie_lib.parameters import load_parameters
from tests.parameters.packs import refusal


def test_every_fault_of_every_file_is_listed_at_once(pack: Callable[..., Path]) -> None:
    def weights(data: dict[str, Any]) -> None:
        data["dimensions"][0]["weight"] = 0.3
        data["dimensions"][2]["indicators"][1]["weight"] = 0.9

    text = refusal(
        pack(
            framework=weights,
            classification=lambda d: d.update(yellow_from=90),
            gates=lambda d: d["gates"][1].update(check="x"),
        )
    )
    assert "参数包被拒绝（共 4 处问题）" in text


def test_a_key_written_twice_is_refused(pack: Callable[..., Path]) -> None:
    folder = pack()
    with (folder / "classification.yaml").open("a", encoding="utf-8") as file:
        file.write("\ngreen_from: 70\n")
    assert "键 green_from 重复" in refusal(folder)


def test_missing_and_broken_files_are_named(pack: Callable[..., Path]) -> None:
    folder = pack()
    (folder / "classification.yaml").unlink()
    (folder / "gates.yaml").write_text("- just\n- a list\n", encoding="utf-8")
    text = refusal(folder)
    assert "classification.yaml：发现“没有这个文件”" in text
    assert "gates.yaml：发现“list”" in text
    (folder / "framework.yaml").write_text("a: [", encoding="utf-8")
    assert "UTF-8 编码的 YAML" in refusal(folder)
    assert "检查 --pack 后面的路径" in refusal(folder / "nowhere")


def test_regions_that_extend_each_other_in_a_circle_are_refused(pack: Callable[..., Path]) -> None:
    folder = pack()
    (folder / "rules").mkdir()
    head = {
        "kind": "rules",
        "version": "1",
        "title": "t",
        "effective_from": "2020-01-01",
        "author": "a",
        "source": "s",
        "rules": [],
    }
    for region, base in (("one", "two"), ("two", "one")):
        data = {**head, "id": region, "region": region, "extends": base}
        (folder / "rules" / f"{region}.yaml").write_text(yaml.safe_dump(data), encoding="utf-8")
    with pytest.raises(ParameterError, match="不循环的 extends"):
        load_parameters(folder, region="one")


def test_faults_are_told_in_chinese(pack: Callable[..., Path]) -> None:
    def wrong(data: dict[str, Any]) -> None:
        first = data["dimensions"][0]["indicators"]
        first[0].update(weight="heavy", decimals=1.5, percent="yes")
        first[1].update(weight=2, applies_to=["镇"])
        first[2].update(missing={"policy": "zero"}, reference_points=[[0, 0]])
        first[3].update(measure={"kind": "x"})
        data.update(effective_from="soon", title=5)

    text = refusal(pack(framework=wrong))
    assert "不大于 1 的数" in text
    for english in ("Input", "should", "valid", "规定的写法"):
        assert english not in text


def test_a_region_file_names_its_own_region(pack: Callable[..., Path]) -> None:
    folder = pack()
    (folder / "rules").mkdir()
    data = {"kind": "rules", "id": "a", "region": "b", "extends": "a", "version": "1", "title": "t"}
    data |= {"effective_from": "2020-01-01", "author": "a", "source": "s", "rules": []}
    (folder / "rules" / "a.yaml").write_text(yaml.safe_dump(data), encoding="utf-8")
    with pytest.raises(ParameterError, match="改为与文件名相同的地区"):
        load_parameters(folder, region="a")
