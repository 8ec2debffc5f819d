import copy
import datetime as dt
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml

from huanjie_lib.contracts import TABLES
from huanjie_lib.errors import ParameterError
from huanjie_lib.parameters import (
    DerivedMeasure,
    ParameterSet,
    UncertaintyAssumptions,
    available_regions,
    load_parameters,
    load_privacy,
)
from huanjie_lib.vocabulary import CaseKind, PostKind, UnitKind

DEFAULT = Path(str(resources.files("huanjie_lib") / "packs" / "default"))
Edit = Callable[[dict[str, Any]], object]


@pytest.fixture
def pack(tmp_path: Path) -> Callable[..., Path]:
    """A copy of the default pack with edits to its files."""

    def build(**edits: Edit) -> Path:
        for file in DEFAULT.glob("*.yaml"):
            data = yaml.safe_load(file.read_text(encoding="utf-8"))
            edits.get(file.stem, lambda _: None)(data)
            (tmp_path / file.name).write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")
        return tmp_path

    return build


def refusal(folder: Path) -> str:
    with pytest.raises(ParameterError) as caught:
        load_parameters(folder)
    return str(caught.value)


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
        ({"gates": lambda d: d["gates"][0].update(check="bribe")}, "check：发现“bribe”"),
        (
            {"gates": lambda d: d["gates"][3]["options"].update(min_days={"rule": "no_such_rule"})},
            "发现“no_such_rule”",
        ),
        ({"gates": lambda d: d["gates"][0].update(options={"strict": 1})}, "发现“strict”"),
        ({"signals": lambda d: d["signals"][0].update(check="guess")}, "check：发现“guess”；应为：roll_gap"),
        ({"signals": lambda d: d["signals"][1].update(id="roll_gap")}, "不重复的编号"),
        ({"signals": lambda d: d["signals"][0]["options"].update(min_effect=0)}, "min_effect：发现“0”"),
        ({"signals": lambda d: d["signals"][4]["options"].pop("window_days")}, "应为：window_days"),
        (
            {"signals": lambda d: d["signals"][4]["options"].update(lead_kinds=["gossip"])},
            "发现“('gossip',)”",
        ),
        (
            {"signals": lambda d: d["signals"][5]["options"].update(departments={"rule": "nobody"})},
            "发现“nobody”",
        ),
        ({"signals": lambda d: d.update(fdr=0.6)}, "fdr：发现“0.6”；应为：不大于 0.5 的数"),
    ],
)
def test_a_bad_pack_is_refused_and_the_place_named(
    pack: Callable[..., Path], edits: dict[str, Edit], told: str
) -> None:
    assert told in refusal(pack(**edits))


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


def test_a_dimension_without_indicators_for_a_kind_is_refused(pack: Callable[..., Path]) -> None:
    def villages_only(data: dict[str, Any]) -> None:
        for indicator in data["dimensions"][0]["indicators"]:
            indicator["applies_to"] = ["村"]

    assert "适用于社区的指标权重合计：发现“0”" in refusal(pack(framework=villages_only))


def test_kinds_are_read_from_value_or_label(pack: Callable[..., Path]) -> None:
    def some(data: dict[str, Any]) -> None:
        data["dimensions"][0]["indicators"][0]["applies_to"] = ["village", "社区"]

    indicators = copy.copy(load_parameters(pack(framework=some)).framework.indicators)
    assert indicators[0].applies_to == (UnitKind.VILLAGE, UnitKind.COMMUNITY)


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


def test_a_region_file_names_its_own_region(pack: Callable[..., Path]) -> None:
    folder = pack()
    (folder / "rules").mkdir()
    data = {"kind": "rules", "id": "a", "region": "b", "extends": "a", "version": "1", "title": "t"}
    data |= {"effective_from": "2020-01-01", "author": "a", "source": "s", "rules": []}
    (folder / "rules" / "a.yaml").write_text(yaml.safe_dump(data), encoding="utf-8")
    with pytest.raises(ParameterError, match="改为与文件名相同的地区"):
        load_parameters(folder, region="a")


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


def casework(**changes: Any) -> dict[str, Edit]:
    """An edit of the casework pack."""
    return {"casework": lambda data: data.update(changes)}


def calendar(**changes: Any) -> dict[str, Edit]:
    """An edit of the calendar of the casework pack."""
    return {"casework": lambda data: data["calendar"].update(changes)}


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


RULE = {"kind": "plan", "due_workdays": 5, "owner": "镇街"}


@pytest.mark.parametrize(
    ("edits", "told"),
    [
        (casework(rules=[RULE, RULE]), "rules[plan]：发现“写了两次”；应为：每类案件一条规定"),
        (casework(rules=[]), "casework.yaml：rules：发现"),
        (casework(rules=[RULE | {"kind": "rumour"}]), "rules[0].kind：发现“rumour”"),
        (casework(rules=[RULE | {"due_workdays": 0}]), "rules[0].due_workdays：发现“0”；应为：不小于 1 的数"),
        (casework(rules=[RULE | {"owner": " "}]), "rules[0].owner：发现"),
        (casework(known_share=1.5), "known_share：发现“1.5”；应为：不大于 1 的数"),
        (casework(due_soon_workdays=-1), "due_soon_workdays：发现“-1”"),
        (casework(audit_department_aliases={"公安": []}), "audit_department_aliases[公安]"),
        (casework(audit_department_aliases={"纪委": ["财政"]}), "发现“财政”；应为：一个名称只指一个单位"),
        (calendar(years=[2031]), "calendar.source：发现“没有填写”；应为：放假通知的文号"),
        (
            calendar(years=[2031], source="x", days_off=[day("2032-01-01")]),
            "calendar[2032-01-01]：发现“2032 年”；应为：years 所列年份的日期",
        ),
        (calendar(years=[2031], source="x", days_off=[day("2030-12-24")]), "calendar[2030-12-24]"),
        (
            calendar(years=[2031], source="x", days_off=[day("2031-01-04")]),
            "calendar[2031-01-04]：发现“星期六”；应为：星期一至星期五",
        ),
        (
            calendar(years=[2031], source="x", workdays=[day("2031-01-03")]),
            "calendar[2031-01-03]：发现“星期五”；应为：星期六或星期日",
        ),
        (
            calendar(years=[2031], source="x", days_off=[day("2031-01-04")], workdays=[day("2031-01-04")]),
            "calendar[2031-01-04]：发现“既是休息日又是上班日”",
        ),
        (calendar(years=[31]), "calendar.years[0]：发现“31”"),
    ],
)
def test_a_bad_casework_pack_is_refused_and_the_place_named(
    pack: Callable[..., Path], edits: dict[str, Edit], told: str
) -> None:
    assert told in refusal(pack(**edits))


def test_new_years_days_off_may_lie_in_the_december_before(pack: Callable[..., Path]) -> None:
    off = [day("2030-12-31"), day("2031-01-01")]
    folder = pack(**calendar(years=[2031], source="国办发明电", days_off=off, workdays=[day("2030-12-29")]))
    found = load_parameters(folder).casework
    assert found is not None
    assert found.calendar.days_off == tuple(off)


def test_the_casework_pack_is_optional_and_part_of_the_version(pack: Callable[..., Path]) -> None:
    folder = pack(**casework(due_soon_workdays=9))
    changed = load_parameters(folder)
    assert changed.digest != load_parameters().digest
    assert ParameterSet.from_json(changed.canonical_json()) == changed
    (folder / "casework.yaml").unlink()
    assert load_parameters(folder).casework is None


def test_the_shipped_pack_says_how_every_kind_of_case_is_dealt_with() -> None:
    shipped = load_parameters().casework
    assert shipped is not None
    assert {rule.kind for rule in shipped.rules} == set(CaseKind)
    assert shipped.rule(CaseKind.PLAN).due_workdays == 5
    with pytest.raises(KeyError):
        shipped.model_copy(update={"rules": shipped.rules[:1]}).rule(CaseKind.DISPUTE)


def talent(part: str, where: int | None = None, **changes: Any) -> dict[str, Edit]:
    """An edit of the talent pack: of one entry of a list, or of a mapping."""

    def edit(data: dict[str, Any]) -> None:
        entry = data[part] if where is None else data[part][where]
        entry.update(changes)

    return {"talent": edit}


@pytest.mark.parametrize(
    ("edits", "told"),
    [
        (talent("evidence", 0, share=0.6), "evidence[finance].share"),
        (talent("evidence", 1, kind="appraisal"), "evidence[finance]：发现“appraisal 写了两次”"),
        (talent("evidence", 0, aspect="trial"), "evidence[trial]：发现“trial”；应为：其他画像要素"),
        (talent("evidence", 0, aspect="wealth"), "evidence[0].aspect：发现“wealth”"),
        (talent("evidence", 0, half_life_years=0), "evidence[0].half_life_years：发现“0”"),
        (talent("trial", prior_sd=0), "trial.prior_sd：发现“0”；应为：大于 0 的数"),
        (talent("profiles", 0, weights={"law": 0.9}), "profiles[secretary_village].weights"),
        (talent("profiles", 0, weights={"age": 1.0}), "profiles[0].weights.age"),
        (talent("profiles", 0, unit_kind="社区"), "profiles：发现“没有村党组织书记的画像”"),
        (talent("profiles", 1, id="secretary_village"), "profiles[secretary_village]：发现“写了两次”"),
        (talent("needs", 0, dimension="rumour"), "needs[rumour]：发现“rumour”；应为：finance_audit"),
        (talent("targets", 1, age=None), "targets[young].age：发现“没有写明”；应为：年龄上限"),
        (talent("targets", 0, age=35), "targets[women].age：发现“35”；应为：不填"),
    ],
)
def test_a_bad_talent_pack_is_refused_and_the_place_named(
    pack: Callable[..., Path], edits: dict[str, Edit], told: str
) -> None:
    assert told in refusal(pack(**edits))


def test_the_talent_pack_is_optional_and_every_post_has_a_profile(pack: Callable[..., Path]) -> None:
    shipped = load_parameters().talent
    assert shipped is not None
    assert shipped.profile(PostKind.SECRETARY, UnitKind.COMMUNITY).id == "secretary_community"
    assert shipped.profile(PostKind.MEMBER, UnitKind.VILLAGE).id == "member"
    folder = pack()
    (folder / "talent.yaml").unlink()
    assert load_parameters(folder).talent is None
    with pytest.raises(KeyError):
        shipped.model_copy(update={"profiles": ()}).profile(PostKind.MEMBER, UnitKind.VILLAGE)


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


class TestPrivacy:
    """How long data of people are kept: no figure of a run rests on it."""

    def test_the_shipped_terms_name_tables_of_people_and_say_what_they_rest_on(self) -> None:
        shipped = load_privacy()
        assert {term.table for term in shipped.terms} <= {t.name for t in TABLES.values() if t.personal}
        assert all(term.basis for term in shipped.terms)
        assert (shipped.log_months, shipped.assessment_months) == (6, 36)

    def test_a_pack_without_terms_has_the_shipped_ones(self, tmp_path: Path) -> None:
        assert load_privacy(tmp_path) == load_privacy()

    def test_every_fault_of_a_term_is_told(self, pack: Callable[..., Path]) -> None:
        def spoil(data: dict[str, Any]) -> None:
            term = data["terms"][0]
            data["terms"] += [
                {**term, "id": "a", "table": "units"},
                {**term, "id": "b", "since": "birth_year"},
                {**term, "id": "c", "status": "gone"},
                {**term, "id": "d", "table": "reviews", "since": "expires_on", "otherwise": "", "status": ""},
                {**term, "id": "a", "table": "leads"},
            ]

        with pytest.raises(ParameterError) as caught:
            load_privacy(pack(privacy=spoil))
        told = [fault.where for fault in caught.value.faults]
        assert told == [
            "privacy.yaml：terms，a：table",
            "privacy.yaml：terms，b：since",
            "privacy.yaml：terms，c：status",
            "privacy.yaml：terms，d：whole_person",
            "privacy.yaml：terms，a：table",
            "privacy.yaml：terms",
        ]

    @pytest.mark.parametrize(("key", "least"), [("log_months", 6), ("assessment_months", 36)])
    def test_what_the_law_asks_for_cannot_be_shortened(
        self, pack: Callable[..., Path], key: str, least: int
    ) -> None:
        with pytest.raises(ParameterError, match=key):
            load_privacy(pack(privacy=lambda data: data.update({key: least - 1})))
