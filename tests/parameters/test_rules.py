import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from huanjie_lib.errors import ParameterError
from huanjie_lib.parameters import available_regions, load_parameters
from tests.parameters.packs import DEFAULT, refusal


@pytest.mark.parametrize("region", available_regions())
def test_shipped_rules_load_and_carry_their_sources(region: str) -> None:
    parameters = load_parameters(region=region)
    assert all(r.source and r.confidence in "HML" for r in parameters.rules)
    assert parameters.region == region
    assert f"/{region}/" in parameters.version


def test_a_province_overrides_the_national_rule_and_keeps_the_rest() -> None:
    day = dt.date(2026, 10, 31)
    assert load_parameters().rule("election_committee_min", day).value == 3
    zhejiang = load_parameters(region="zhejiang")
    assert zhejiang.rule("election_committee_min", day).value == 5
    assert zhejiang.rule("audit_notice_min_days", day).value == 5


def test_options_of_a_wrong_kind_are_refused_where_they_stand(pack: Callable[..., Path]) -> None:
    def framework(data: dict[str, Any]) -> None:
        for indicator in (i for d in data["dimensions"] for i in d["indicators"]):
            if indicator["id"] == "leads_rate":
                indicator["measure"]["options"].update(months=0, electors_metric="nobody")

    def gates(data: dict[str, Any]) -> None:
        data["gates"][3]["options"].update(min_days="五", min_gap_days=-1)
        data["gates"][6]["options"]["departments"] = "纪委"

    text = refusal(pack(framework=framework, gates=gates))
    for said in (
        "months：发现“0”",
        "electors_metric：发现“nobody”",
        "min_days：发现“五”",
        "min_gap_days：发现“-1”；应为：不小于 0 的整数",
        "departments：发现“纪委”",
    ):
        assert said in text


def bar(**changes: Any) -> dict[str, Any]:
    """A rule of a region, complete; the changes are what is wrong with it."""
    rule: dict[str, Any] = {"id": "bar_gang", "label": "l", "value": 3, "effective_from": "2020-01-01"}
    return rule | {"source": "s", "confidence": "L"} | changes


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (bar(id="bar_surname"), "规则：bar_surname（2020-01-01 起）：发现“bar_surname”；应为：bar_"),
        (bar(value="永久"), "规则：bar_gang（2020-01-01 起）.value：发现“永久”；应为：0 到 100 之间的整数"),
        (bar(value=-1), ".value：发现“-1”"),
        (bar(value=2.5), ".value：发现“2.5”"),
        (bar(value=["长期"]), ".value：发现“('长期',)”"),
        (bar(id="post_full_member", value=["村长"]), ".value：发现“村长”；应为：党组织书记、"),
        (bar(id="post_avoids_kin", value="委"), ".value：发现“委”；应为：党组织书记、"),
        (bar(id="kin_relations", value=["同宗"]), ".value：发现“同宗”；应为：配偶、父母子女、兄弟姐妹、祖孙"),
        (bar(id="reserve_excluded", value=["已出库", "上访"]), ".value：发现“上访”；应为：已入库、"),
    ],
)
def test_a_bad_rule_on_people_is_refused_and_the_place_named(
    pack: Callable[..., Path], rule: dict[str, Any], told: str
) -> None:
    folder = pack()
    (folder / "rules").mkdir()
    header = {"kind": "rules", "id": "here", "version": "1", "title": "t", "region": "here"}
    header |= {"extends": "national", "effective_from": "2020-01-01", "author": "a", "source": "s"}
    text = yaml.safe_dump(header | {"rules": [rule]}, allow_unicode=True)
    (folder / "rules" / "here.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ParameterError) as caught:
        load_parameters(folder, region="here")
    assert told in str(caught.value)


def test_rules_on_people_are_needed_by_a_talent_pack_only(pack: Callable[..., Path]) -> None:
    def drop(data: dict[str, Any]) -> None:
        data["rules"] = [rule for rule in data["rules"] if rule["id"] != "post_avoids_kin"]

    folder = pack()
    (folder / "rules").mkdir()
    national = yaml.safe_load((DEFAULT.parent / "rules" / "national.yaml").read_text(encoding="utf-8"))
    drop(national)
    text = yaml.safe_dump(national, allow_unicode=True)
    (folder / "rules" / "national.yaml").write_text(text, encoding="utf-8")
    assert "规则包：发现“没有 post_avoids_kin”；应为：talent.yaml 需要的规则" in refusal(folder)
    (folder / "talent.yaml").unlink()
    assert load_parameters(folder).rule_in_force("post_avoids_kin", dt.date(2026, 10, 31)) is None
