"""How far the figures carry: where the model may be wrong, method, parameters, data and digests."""

from __future__ import annotations

from typing import Final

from huanjie_lib.exports.briefing.draft import Draft
from huanjie_lib.exports.briefing.words import NAMED, known_text, names_text, rate_text, ratio_text
from huanjie_lib.views.meeting import MANIFEST_DIGEST, PARAMETERS_DIGEST
from huanjie_lib.views.words import CONTESTED, count_text, level_notes, number_text, percent_text
from huanjie_lib.vocabulary import Level

__all__ = ["method_annex", "sources_annex", "wrong_section"]

_MISSES: Final = 10
_DIGESTS: Final = (MANIFEST_DIGEST, PARAMETERS_DIGEST)


def wrong_section(draft: Draft) -> None:
    """Tell where the model may be wrong, by what it missed before and in past elections."""
    meeting = draft.meeting
    view = meeting.overview
    draft.heading("模型哪里可能看错")
    draft.text("选情指数是线索和参考，不是结论，更不是对任何人的评价。下列情况在使用时要特别注意。")
    draft.heading("本次把握不大的", 2)
    unsure = []
    if view.contested:
        unsure.append(f"{count_text(view.contested)}个{CONTESTED}，权重、标准在合理范围内变动就可能变色")
    if view.to_verify:
        unsure.append(f"{count_text(view.to_verify)}个待核实，补齐数据后等级可能改变")
    told = "；".join(unsure) + "。都不能只看颜色定事。"
    draft.text(told if unsure else "没有颜色有争议或待核实的村（社区）。")
    draft.heading("上次没有看出来的", 2)
    if meeting.since is None:
        draft.text("没有更早一期的评估，不能检查。")
    else:
        green = Level.GREEN.value
        missed = meeting.turned.query(f"from_level == '{green}' and level == '{Level.RED.value}'")
        names = [f"{row['township_name']}{row['unit_name']}" for row in missed.to_dict("records")]
        told = f"{names_text(names, NAMED)}。" if names else "没有。"
        draft.text(told, f"{meeting.since_text}为绿色、本次为红色的：")
    draft.heading("用往届选举检验", 2)
    backtest = meeting.backtest
    if backtest is None:
        draft.text("没有用往届数据回测，模型在哪里判断错误不明，不能说明预警的准确程度。")
        return
    facts = backtest.facts
    best = facts["models"][facts["recommended"]]
    draft.text(
        f"用{'全市' if meeting.scope else ''}{facts['feature_term']}届及以前的数据预测"
        f"{facts['test_term']}届，{count_text(facts['units'])}个单位中"
        f"实际出险{count_text(facts['events'])}个。成绩最好的是{best['label']}："
        f"平均查准率{ratio_text(best['pr_auc'])}（95%区间{ratio_text(best['pr_auc_low'])}至{ratio_text(best['pr_auc_high'])}），"
        f"随机抽查为{ratio_text(facts['base_rate'])}。"
    )
    draft.text(
        {
            True: "黄色单位的出险率介于红色和绿色之间，三色次序成立。",
            False: "黄色单位的出险率没有介于红色和绿色之间，三色次序不成立，分级标准须复核。",
            None: "没有三色都有单位的往届选情指数，不能检验三色次序。",
        }[facts["yellow_between"]]
    )
    draft.text(f"{'；'.join(facts['does_not_prove'])}。", "没有说明什么：")
    misses = backtest.misses.head(_MISSES)
    if len(misses):
        draft.table(
            f"看得最安全却出险的{len(misses)}个单位",
            (("单位", 62), ("片区", 40), ("预测可能性", 27), ("风险名次", 27)),
            [
                [
                    row["unit_name"],
                    row["region_name"],
                    rate_text(row["probability"]),
                    number_text(row["rank"], decimals=0),
                ]
                for row in misses.to_dict("records")
            ],
        )


def method_annex(draft: Draft) -> None:
    """Say how levels are found, by which indicators, weights, gates and packs."""
    parameters = draft.meeting.run.parameters
    framework = parameters.framework
    draft.annex("方法和参数")
    draft.heading("等级怎么定")
    draft.items(level_notes(parameters))
    draft.text("指数等于100减去各项扣分之和；每项扣分等于100乘维度权重、指标权重和严重程度（0至1）。")
    draft.heading("维度和指标")
    draft.table(
        "指标、权重和出处",
        (("维度（权重）", 32), ("指标", 36), ("权重", 14), ("最多扣分", 18), ("出处", 56)),
        [
            [
                f"{dimension.label}（{dimension.weight:.0%}）",
                indicator.label,
                f"{indicator.weight:.0%}",
                number_text(100 * dimension.weight * indicator.weight),
                indicator.source,
            ]
            for dimension in framework.dimensions
            for indicator in dimension.indicators
        ],
        left=(4,),
        size=9.5,
    )
    if parameters.gates is not None:
        draft.heading("准入条件")
        draft.table(
            "准入条件和依据",
            (("准入条件", 46), ("依据", 110)),
            [[gate.label, gate.rule] for gate in parameters.gates.gates],
            left=(1,),
        )
    draft.heading("把握有多大")
    doubt = parameters.assumptions
    centre = doubt.weight_concentration
    weights = "权重视为确定" if centre is None else f"权重围绕所用权重随机变动（集中度{centre:g}）"
    draft.text(
        f"每个村（社区）测算{count_text(doubt.draws)}次：{weights}，评分标准上下变动的标准差为量程的{doubt.reference_shift:.0%}，"
        f"填报数的相对误差为{doubt.data_error:.0%}。没有一种颜色的把握达到{doubt.contested_below:.0%}的，记为{CONTESTED}。"
    )
    draft.heading("参数包")
    packs = (
        framework,
        parameters.classification,
        parameters.gates,
        parameters.uncertainty,
        parameters.measures,
        parameters.signals,
        parameters.casework,
    )
    draft.table(
        "所用参数包",
        (("参数包", 60), ("版本", 22), ("生效日期", 30), ("编制", 44)),
        [
            [pack.title, pack.version, pack.effective_from.isoformat(), pack.author]
            for pack in packs
            if pack is not None
        ],
        left=(0,),
    )


def sources_annex(draft: Draft) -> None:
    """Say how fresh and whole the data are, what is lacking, and the digests of the run."""
    meeting = draft.meeting
    draft.annex("数据情况和校验")
    draft.heading("数据新旧和齐全程度" + ("（全市）" if meeting.scope else ""))
    draft.table(
        "各来源最近数据",
        (("数据来源", 46), ("最近数据日期", 36), ("距今天数", 22), ("已报/应报", 32), ("覆盖率", 20)),
        [
            [
                one.label,
                "—" if one.latest_on is None else one.latest_on.isoformat(),
                known_text(one.age_days),
                f"{count_text(one.units_covered)}/{count_text(one.units_total)}"
                if one.due
                else f"{count_text(one.units_covered)}个有记录",
                percent_text(one.units_covered, one.units_total) if one.due else "—",
            ]
            for one in meeting.overview.freshness
        ],
        left=(0,),
    )
    draft.heading("缺少的内容")
    if meeting.gaps:
        draft.items(meeting.gaps)
    else:
        draft.text("没有缺少的内容。")
    draft.heading("校验码（SHA-256）")
    draft.text("本汇报的数字全部出自下列文件，校验码相同即为同一份数据；评估清单记有各表的校验码。")
    rows = [row for row in meeting.digests if row[0] in _DIGESTS] or list(meeting.digests)
    if meeting.loop is not None and meeting.loop.head is not None:
        rows.append((f"案件账本（至第{known_text(meeting.loop.sequence)}条）", meeting.loop.head))
    columns = (("文件", 46.0), ("校验码", 110.0))
    draft.table("校验码", columns, rows, left=(0, 1), size=8.0)
