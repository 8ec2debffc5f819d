"""Tables and figures of alerts and of what closed cases regained, for analysts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from huanjie_lib.views.analysis import new_axes, whole_figure
from huanjie_lib.vocabulary import CaseKind, Level

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["alert_counts", "alert_figure", "alert_list", "coverage_table", "regained_table"]

_COVERAGE: Mapping[str, tuple[str, str, str]] = {
    "单位审计": ("units_audited", "units", "units_share"),
    "班子成员审计": ("persons_audited", "persons", "persons_share"),
    "矛盾摸排在有效期内": ("screened", "units", "screened_share"),
    "摸排由书记带队": ("led", "screened", "led_share"),
}
"""What is covered: columns of the number done, of the number due and of the share."""


def alert_counts(alerts: pd.DataFrame) -> pd.DataFrame:
    """Return alerts by kind: how many, in how many units, and the first and last deadline proposed.

    Parameters
    ----------
    alerts
        ``kind``, ``unit_code`` and ``due_on`` of the alerts of a run.

    Examples
    --------
    >>> alerts = pd.DataFrame({"kind": ["gate", "gate"], "unit_code": ["a", "a"],
    ...                        "due_on": pd.to_datetime(["2026-11-20", "2026-11-23"])})
    >>> alert_counts(alerts).loc["准入不通过", ["件数", "单位数"]].tolist()
    [2, 1]
    """
    groups = alerts.groupby("kind")
    table = pd.DataFrame(
        {
            "件数": groups.size(),
            "单位数": groups["unit_code"].nunique(),
            "最早期限": groups["due_on"].min().dt.strftime("%Y-%m-%d"),
            "最晚期限": groups["due_on"].max().dt.strftime("%Y-%m-%d"),
        }
    )
    order = [kind.value for kind in CaseKind if kind.value in table.index]
    return table.loc[order].rename(index=CaseKind.labels()).rename_axis("预警类型")


def alert_figure(alerts: pd.DataFrame) -> Figure:
    """Return a bar chart of alerts by kind."""
    counts = alert_counts(alerts)["件数"][::-1]
    axes = new_axes(height=0.42 * len(counts) + 1.2)
    bars = axes.barh(list(counts.index), counts.to_numpy(), color="#2f5d8a")
    axes.bar_label(bars, fmt="{:,.0f}", padding=3)
    axes.set(xlabel="预警件数", title="各类预警")
    axes.margins(x=0.12)
    return whole_figure(axes)


def alert_list(alerts: pd.DataFrame, unit_code: str) -> pd.DataFrame:
    """Return the alerts of one unit that are not restricted, with reason and proposed owner and deadline."""
    mine = alerts[(alerts["unit_code"] == unit_code) & ~alerts["restricted"]].sort_values("due_on")
    return pd.DataFrame(
        {
            "预警类型": mine["kind"].map(CaseKind.labels()),
            "事由": mine["title"],
            "依据": mine["reason"],
            "建议责任单位": mine["owner"],
            "建议期限": mine["due_on"].dt.strftime("%Y-%m-%d"),
        }
    ).reset_index(drop=True)


def coverage_table(audit: pd.DataFrame, conflict: pd.DataFrame) -> pd.DataFrame:
    """Return what audit and screening cover in the whole city.

    Parameters
    ----------
    audit, conflict
        ``audit_coverage`` and ``conflict_coverage`` of a run's ledgers.
    """
    city = {
        **conflict[conflict["level"] == "city"].iloc[0].to_dict(),
        **audit[audit["level"] == "city"].iloc[0].to_dict(),
    }
    rows = {
        label: {"已完成": city[done], "应完成": city[due], "覆盖率": f"{100 * city[share]:.1f}%"}
        for label, (done, due, share) in _COVERAGE.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def regained_table(regained: pd.DataFrame, units: pd.DataFrame) -> pd.DataFrame:
    """Return what closed cases regained, by unit, most first.

    Parameters
    ----------
    regained
        ``regained_units`` of a run's ledgers.
    units
        ``unit_code``, ``unit_name`` and ``township_name``.
    """
    rows = regained.merge(units, on="unit_code", how="left")
    labels = Level.labels()
    table = pd.DataFrame(
        {
            "镇街": rows["township_name"],
            "村（社区）": rows["unit_name"],
            "不计整改": rows["index_before"].round(1),
            "计入整改": rows["index_after"].round(1),
            "增加": (rows["index_after"] - rows["index_before"]).round(1),
            "原颜色": rows["level_before"].map(labels),
            "现颜色": rows["level_after"].map(labels),
            "未通过准入条件": [
                f"{old}→{new}" for old, new in zip(rows["blocked_before"], rows["blocked_after"], strict=True)
            ],
        }
    )
    return table.sort_values("增加", ascending=False, kind="stable", ignore_index=True)
