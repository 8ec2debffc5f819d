import datetime as dt
from collections.abc import Iterator

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from huanjie_lib.intake.neighbours import neighbour_pairs
from huanjie_lib.parameters import load_parameters
from huanjie_lib.risk.change_account import PARTS, Cause, ChangeAccount, change_account
from huanjie_lib.risk.clusters import ClusterKind, Clusters, find_clusters
from huanjie_lib.risk.trends import Flips, Trends, find_flips, find_trends
from huanjie_lib.sample import City, make_city
from huanjie_lib.store.run_folder import Run
from huanjie_lib.views import trends as views
from huanjie_lib.views.analysis import set_notebook_style

PACK = load_parameters()


@pytest.fixture(scope="module")
def city() -> City:
    return make_city(units=60, snapshots=13)


@pytest.fixture(scope="module")
def account(city: City) -> ChangeAccount:
    return change_account(city.tables, PACK, before=dt.date(2026, 9, 30), after=city.as_of)


@pytest.fixture(scope="module")
def clusters(city: City) -> Clusters:
    """Points lost that rise from the south to the north, with one unit out of place and one without data."""
    north = city.geometry.geometry.representative_point().y.fillna(
        city.geometry.geometry.union_all().centroid.y
    )
    rank = north.rank(method="first").to_numpy()
    lost = pd.Series(rank / 2, index=city.geometry["unit_code"].to_numpy())
    lost.iloc[[int(np.argmax(rank)) - 1]] = np.nan
    pairs = neighbour_pairs(city.tables["units"], city.geometry)
    return find_clusters(lost, pairs, seed=1, as_of=city.as_of)


@pytest.fixture(scope="module")
def moved(small_run: Run) -> tuple[Trends, Flips]:
    return find_trends(small_run.history, PACK.framework, least=3), find_flips(
        small_run.history, PACK.framework
    )


@pytest.fixture(autouse=True)
def _style() -> Iterator[None]:
    with mpl.rc_context():
        set_notebook_style()
        yield


def texts(figure: Figure) -> str:
    figure.canvas.draw()  # warnings are errors: a character the font lacks fails here
    (axes,) = figure.axes
    legend = axes.get_legend()
    parts = [axes.get_title(), axes.get_title(loc="left"), axes.get_xlabel(), axes.get_ylabel()]
    parts += [t.get_text() for t in (*axes.texts, *axes.get_xticklabels(), *axes.get_yticklabels())]
    return "\n".join(parts + ([t.get_text() for t in legend.get_texts()] if legend else []))


def test_the_fastest_come_first_and_only_those_with_a_direction(
    moved: tuple[Trends, Flips], small_run: Run
) -> None:
    trends = moved[0]
    falling = views.slope_table(trends, small_run.units)
    rising = views.slope_table(trends, small_run.units, improving=True, most=3)
    counts = trends.units["direction"].value_counts()
    assert len(falling) == counts.get("worsening", 0)
    assert len(rising) == min(3, counts["improving"])
    first = trends.units[trends.units["direction"] == "improving"]["slope"].idxmax()
    names = small_run.units.set_index("unit_code")["unit_name"]
    assert rising["村（社区）"].iloc[0] == names[first]
    assert rising["每月变化"].str.startswith("+").all()
    own = trends.dimensions[trends.dimensions["unit_code"] == first].set_index("dimension")["slope"]
    assert rising["变化最快的维度"].iloc[0] == trends.labels[own.idxmin()]


def test_slopes_are_drawn_with_names_that_hold_markup(moved: tuple[Trends, Flips], small_run: Run) -> None:
    said = texts(views.slope_figure(moved[0], small_run.units, improving=True))
    assert "选情指数上升最快的" in said
    assert "95% 把握的范围" in said
    rising = views.slope_table(moved[0], small_run.units, improving=True)
    assert all(name in said for name in rising["村（社区）"])
    none = find_trends(small_run.history, PACK.framework)
    assert "没有持续下降的村（社区）" in texts(views.slope_figure(none, small_run.units))


def test_flips_give_the_latest_and_the_worst_first(moved: tuple[Trends, Flips], small_run: Run) -> None:
    flips = moved[1]
    table = views.flips_table(flips, small_run.units)
    assert len(table) == len(flips.flips) > 0
    assert table["截至"].is_monotonic_decreasing
    assert table["主要原因"].str.contains("多扣|少扣").all()
    row = flips.flips.sort_values("as_of").iloc[-1]
    mine = flips.causes[
        (flips.causes["unit_code"] == row["unit_code"]) & (flips.causes["as_of"] == row["as_of"])
    ]
    assert table["主要原因"].str.startswith(mine["label"].iloc[0]).any()


def test_a_flip_into_no_data_has_no_cause(small_run: Run) -> None:
    history = small_run.history.copy()
    last = history["as_of"] == history["as_of"].max()
    history.loc[last & (history["unit_code"] == "990101102201"), "level"] = "unknown"
    table = views.flips_table(find_flips(history, PACK.framework), small_run.units)
    lost = table[table["现等级"] == "无数据"]
    assert lost[["指数变化", "主要原因"]].to_numpy().tolist() == [["—", "—"]]
    assert lost.index[0] == 0


def test_account_columns_add_up_as_shown(account: ChangeAccount, city: City) -> None:
    units = city.tables["units"].merge(city.tables["townships"], on="township_code")
    table = views.account_table(account, units, most=10)
    assert len(table) == 10
    parts = table[[c.label for c in PARTS]].map(lambda t: float(t.replace("−", "-"))).sum(axis=1)
    np.testing.assert_allclose(table["上期指数"] + parts, table["本期指数"], atol=0.31)
    changed = table["原等级"] != table["现等级"]
    assert (table["变色原因"] != "").tolist() == changed.tolist()
    assert set(table["变色原因"]) <= {"", *(c.label for c in Cause)}


def test_a_waterfall_shows_each_cause_and_both_ends(account: ChangeAccount) -> None:
    unit = account.units["change"].idxmin()
    said = texts(views.account_figure(account, unit, name="上云村"))
    row = account.units.loc[unit]
    for shown in ("上云村：选情指数为什么变了", "2026年9月30日", "2026年10月31日", "数据更新"):
        assert shown in said
    assert f"{row['index_before']:.1f}" in said
    assert f"{row['index_after']:.1f}" in said
    assert f"−{abs(row['new']):.1f}" in said
    assert "全市 60 个村（社区）平均" in texts(views.account_figure(account))
    with pytest.raises(KeyError):
        views.account_figure(account, "nowhere")


def test_clusters_are_listed_by_urgency_and_mapped_with_counts(clusters: Clusters, city: City) -> None:
    units = city.tables["units"].merge(city.tables["townships"], on="township_code")
    table = views.cluster_table(clusters, units)
    counts = clusters.units["kind"].value_counts()
    assert counts["high"] > 2
    assert len(table) == len(clusters.units) - counts["none"] - counts["unknown"]
    order = [
        k.label
        for k in (ClusterKind.HIGH, ClusterKind.HIGH_OUTLIER, ClusterKind.LOW_OUTLIER, ClusterKind.LOW)
    ]
    assert table["类型"].map(order.index).is_monotonic_increasing
    areas = views.area_table(clusters, units, least=1)
    assert areas["村（社区）数"].sum() == counts["high"]
    assert areas["村（社区）数"].is_monotonic_decreasing
    assert areas["村（社区）"].str.count("、").add(1).tolist() == areas["村（社区）数"].tolist()
    assert len(views.area_table(clusters, units, least=99)) == 0
    said = texts(views.cluster_figure(clusters, units, city.geometry))
    for kind in ClusterKind:
        assert f"{kind.label}（{counts.get(kind.value, 0)}）" in said
    assert "扣分的连片情况（截至2026年10月31日）" in said
    bare = units.drop(columns=["longitude", "latitude"], errors="ignore")
    with pytest.raises(ValueError, match="shape"):
        views.cluster_figure(clusters, bare, city.geometry.iloc[:0])
