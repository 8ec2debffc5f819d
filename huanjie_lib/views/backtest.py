"""Tables, figures and the model card of a backtest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from huanjie_lib.risk.calibration import MODELS
from huanjie_lib.views.analysis import whole_figure
from huanjie_lib.views.fonts import register_matplotlib
from huanjie_lib.views.words import count_text
from huanjie_lib.vocabulary import Level

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from huanjie_lib.risk.backtest import Scorecard

__all__ = [
    "adoption_table",
    "churn_table",
    "decision_curve_figure",
    "group_table",
    "level_table",
    "miss_table",
    "model_card",
    "precision_recall_figure",
    "reliability_figure",
    "score_table",
]

#: Colour, line and mark of each model: apart in greyscale too.
_STYLES: Final[Mapping[str, tuple[str, str, str]]] = {
    "index": ("#1b2430", "-", "s"),
    "last_value": ("#8a94a0", ":", "v"),
    "equal_weights": ("#b8860b", "--", "D"),
    "logistic": ("#1f6fb2", "-", "o"),
    "boosting": ("#b2182b", "-.", "^"),
}
_RANDOM: Final = "#666666"
_LEAST_SHOWN: Final = 20


def score_table(card: Scorecard) -> pd.DataFrame:
    """Return the scores of every model with Chinese headings, best first."""
    rows = card.scores.sort_values("pr_auc", ascending=False, kind="stable")
    places = card.capacity.pivot(index="model", columns="capacity", values="recall").reindex(rows.index)
    table = pd.DataFrame(
        {
            "平均查准率": rows["pr_auc"].round(3),
            "95%区间": [
                f"{low:.3f}–{high:.3f}"
                for low, high in zip(rows["pr_auc_low"], rows["pr_auc_high"], strict=True)
            ],
            "是随机抽查的倍数": rows["lift"].round(2),
            "ROC面积": rows["roc_auc"].round(3),
            "布里尔分": rows["brier"].round(4),
            "概率平均偏差": rows["ece"].round(4),
            **{f"查{k}个查到的比例": places[k].round(3) for k in places.columns},
        }
    )
    return table.rename(index=dict(MODELS)).rename_axis("模型")


def adoption_table(card: Scorecard) -> pd.DataFrame:
    """Return the verdict on each learned model with Chinese headings."""
    rows = card.adoption
    return pd.DataFrame(
        {
            "比较对象": rows["reference"].map(MODELS),
            "平均查准率之差": [f"{d:+.3f}" for d in rows["difference"]],
            "95%区间": [
                f"{low:+.3f} 至 {high:+.3f}" for low, high in zip(rows["low"], rows["high"], strict=True)
            ],
            "可否采用": np.where(rows["adopted"].astype(bool), "可以作为参考", "不采用"),
            "理由": rows["reason"],
        }
    ).rename(index=dict(MODELS)).rename_axis("模型")  # fmt: skip


def level_table(card: Scorecard) -> pd.DataFrame:
    """Return units, events and event rate of each colour with Chinese headings; empty without colours."""
    rows = card.levels
    return pd.DataFrame(
        {"单位": rows["units"], "出险": rows["events"], "出险率": rows["rate"].astype(float).round(3)}
    ).rename(index=Level.labels()).rename_axis("颜色")  # fmt: skip


def miss_table(
    card: Scorecard, *, units: pd.DataFrame | None = None, model: str | None = None, most: int = 20
) -> pd.DataFrame:
    """Return the largest misses with Chinese headings: what happened where it was least expected.

    Parameters
    ----------
    card
        The backtest.
    units
        unit_code and unit_name, to tell names beside codes.
    model
        The recommended model when omitted.
    most
        Rows at most.
    """
    rows = card.misses(model, most=most)
    names = {} if units is None else {
        "名称": rows["unit"].map(units.drop_duplicates("unit_code").set_index("unit_code")["unit_name"])
    }  # fmt: skip
    return pd.DataFrame(
        {
            "单位": rows["unit"],
            **names,
            "片区": rows["region"],
            "预测可能性": rows["probability"].round(3),
            "风险名次": rows["rank"],
            "实际": np.where(rows["outcome"] == 1, "出险", "未出险"),
        }
    )


def group_table(card: Scorecard) -> pd.DataFrame:
    """Return recall by region at the middle capacity with Chinese headings, lowest recall first."""
    rows = card.groups.sort_values(["recall", "events"], ascending=[True, False], kind="stable")
    return pd.DataFrame(
        {
            "单位": rows["units"],
            "出险": rows["events"],
            "查到": rows["caught"].round(1),
            "查到的比例": rows["recall"].round(3),
        }
    ).rename_axis("片区")


def churn_table(churn: pd.DataFrame) -> pd.DataFrame:
    """Return how many colours changed at each snapshot, and how many changed back, with Chinese headings."""
    table = churn.set_axis([f"{d:%Y-%m-%d}" for d in churn.index]).rename_axis("截至")
    names = {"units": "可比单位", "changed": "变色", "share": "变色占比", "returned": "变了又变回"}
    return table.rename(columns=names).round({"变色占比": 3})


# ---------------------------------------------------------------- figures


@contextmanager
def _drawing(title: str, *, width: float = 8.0, height: float = 5.2) -> Iterator[Axes]:
    """Yield axes with the shipped Chinese font, whatever the settings of the session."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"font.family": register_matplotlib(), "axes.unicode_minus": False}):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes: Axes = figure.subplots()
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_title(title)
        yield axes
        axes.legend(frameon=False)


def _line(name: str, **more: Any) -> dict[str, Any]:
    colour, style, mark = _STYLES[name]
    return {"color": colour, "linestyle": style, "marker": mark, "label": MODELS[name], **more}


def precision_recall_figure(card: Scorecard) -> Figure:
    """Return precision against recall for every model, with the base rate that random inspection reaches."""
    from sklearn.metrics import precision_recall_curve

    with _drawing(f"{card.facts['test_term']}届：查得准与查得全") as axes:
        for name in card.scores.index:
            rows = card.of(name)
            precision, recall, _ = precision_recall_curve(rows["outcome"], -rows["rank"])
            area = card.scores.loc[name, "pr_auc"]
            axes.plot(
                recall, precision, **_line(name, marker="", label=f"{MODELS[name]}（{area:.3f}）"),
                drawstyle="steps-post",
            )  # fmt: skip
        base = card.facts["base_rate"]
        axes.axhline(base, color=_RANDOM, linewidth=1, linestyle=(0, (1, 3)), label=f"随机抽查（{base:.3f}）")
        top = float(max(0.3, min(1.0, 2.2 * card.scores["pr_auc"].max())))
        axes.set(
            xlabel="查到的出险单位占全部出险单位的比例",
            ylabel="被查单位中真正出险的比例",
            xlim=(0, 1),
            ylim=(0, top),
        )
    return whole_figure(axes)


def reliability_figure(card: Scorecard) -> Figure:
    """Return what was forecast against what happened; on the diagonal a chance means what it says."""
    with _drawing(f"{card.facts['test_term']}届：说的可能性与实际出险率") as axes:
        top = 0.1
        curves = {name: table[table["units"] >= _LEAST_SHOWN] for name, table in card.curves.items()}
        for name, table in curves.items():
            axes.plot(table["forecast"], table["observed"], **_line(name, markersize=5))
            top = max(top, float(table[["forecast", "observed"]].max().max()))
        top = min(1.0, 1.08 * top)
        axes.plot([0, top], [0, top], color=_RANDOM, linewidth=0.8, label="完全吻合")
        for units, *spot in curves[card.facts["recommended"]][["units", "forecast", "observed"]].to_numpy():
            axes.annotate(
                count_text(int(units)), (spot[0], spot[1]), fontsize=8,
                xytext=(4, -11), textcoords="offset points", color=_STYLES[card.facts["recommended"]][0],
            )  # fmt: skip
        axes.set(
            xlabel=f"预测的可能性（数字：{MODELS[card.facts['recommended']]}每组的单位数，不足{_LEAST_SHOWN}个的组不画）",
            ylabel="实际出险率",
            xlim=(0, top),
            ylim=(0, top),
        )
    return whole_figure(axes)


def decision_curve_figure(card: Scorecard) -> Figure:
    """Return net benefit against the chance from which one would act, beside acting on all and on none."""
    table = card.benefit
    base = card.facts["base_rate"]
    kept = table[table.index <= min(0.6, 3 * base)]
    with _drawing("决策曲线：按预测去查，值不值") as axes:
        for name in card.scores.index:
            axes.plot(kept.index, kept[name], **_line(name, marker=""))
        axes.plot(kept.index, kept["treat_all"], color=_RANDOM, linewidth=1, label="全部都查")
        axes.axhline(0, color="#000000", linewidth=1, label="都不查")
        best = float(kept[list(card.scores.index)].max().max())
        axes.set(
            xlabel="可能性达到多少才去查",
            ylabel="净收益（每个单位）",
            xlim=(0, float(kept.index.max())),
            ylim=(-0.25 * best, 1.1 * best),
        )
    return whole_figure(axes)


# ---------------------------------------------------------------- the model card


def model_card(card: Scorecard, *, inputs: Sequence[str] = ()) -> str:
    """Return the model card in Markdown: what was tested, what it proves, and what it does not.

    Parameters
    ----------
    card
        The backtest.
    inputs
        Names of the input files.
    """
    f = card.facts
    design = {
        "forward+regions": "时间上向前预测，并整片留出片区",
        "regions": "整片留出片区（只有一对届次，没有在时间上向前检验）",
    }[f["design"]]
    limits = card.limits
    yellow = {
        True: "黄色单位的出险率严格介于红色和绿色之间，三色次序成立。",
        False: "黄色单位的出险率没有严格介于红色和绿色之间，三色次序不成立，分级标准须复核。",
        None: "没有三色都有单位的选情指数，不能检验三色次序。",
    }[f["yellow_between"]]
    parts = [
        "# 模型说明卡",
        "",
        f"- 检验对象：{f['test_term']} 届的“{f['outcome']}”，{count_text(f['units'])} 个单位，"
        f"其中出险 {count_text(f['events'])} 个（{100 * f['base_rate']:.1f}%）",
        f"- 所用数据：{'、'.join(inputs) or '见清单'}",
        f"- 特征：取自 {f['feature_term']} 届，共 {f['features']} 列，按同届排名换算，并加所在镇街的平均排名",
        f"- 检验办法：{design}；{f['regions']} 个片区分 {f['folds']} 次轮流留出；"
        f"区间由整片重抽 {count_text(f['draws'])} 次得到（随机种子 {f['seed']}）",
        *([f"- 选情指数参数：{f['parameters']}"] if f["parameters"] else []),
        "",
        "## 一、结论",
        "",
        f"- 成绩最好的是**{MODELS[f['recommended']]}**。{card.explain(f['recommended'])}",
        *(f"- {MODELS[str(name)]}：{reason}。" for name, reason in card.adoption["reason"].items()),
        f"- {yellow}",
        "- 任何模型都不自动代替选情指数；采用与否由人决定并记录理由。",
        "",
        "## 二、成绩",
        "",
        _markdown(score_table(card).reset_index()),
        "",
        "平均查准率（PR-AUC）要与基数比：随机抽查得到的就是基数。这里不报“准确率”，因为什么都不预警的“准确率”"
        "在出险少见时反而最高。",
        "",
        "## 三、说明了什么",
        "",
        *(f"- {line}。" for line in limits["proves"]),
        "",
        "## 四、没有说明什么",
        "",
        *(f"- {line}。" for line in limits["does_not_prove"]),
        "",
        "## 五、口径",
        "",
        *(f"- {line}。" for line in card.notes),
        "- 概率分十组比较（每组宽 10 个百分点）得到概率平均偏差（ECE）。",
        "- 名次相同的单位不分先后，按平均名次计。",
        "- 平均查准率和查到的比例按各单位的风险名次（rank）计算；布里尔分和概率平均偏差按预测可能性"
        "（probability）计算。可能性在每次留出时分别校准，所以上届值、选情指数按可能性重排，名次会略有不同。",
        "",
        "## 六、使用限制",
        "",
        "- 只用于安排检查力量的先后，不用于对任何个人作出评价或处理。",
        "- 预警是线索，不是结论；被漏掉的单位见“最大的漏报”表。",
        "",
    ]
    return "\n".join(parts)


_DECIMALS = {"是随机抽查的倍数": 2, "布里尔分": 4, "概率平均偏差": 4}


def _cell(value: object, decimals: int) -> str:
    """Return a cell as text; one column's figures all have the same decimals."""
    return f"{value:.{decimals}f}" if isinstance(value, float) else str(value)


def _markdown(table: pd.DataFrame) -> str:
    """Return a table in Markdown; bars in a cell are escaped."""
    rows = [list(map(str, table.columns)), ["---"] * table.shape[1]]
    decimals = [_DECIMALS.get(str(name), 3) for name in table.columns]
    rows += [
        [_cell(cell, d).replace("|", "\\|") for cell, d in zip(row, decimals, strict=True)]
        for row in table.to_numpy().tolist()
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
