"""A panel of past elections: one row a unit and term, its keys and regions, and ranks of its figures."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from huanjie_lib.errors import DataError, Fault
from huanjie_lib.parameters import Framework, MetricMeasure, ParameterSet
from huanjie_lib.risk.calibration import locality_means, within_period_ranks
from huanjie_lib.risk.indicators import indicator_values
from huanjie_lib.risk.prepared import prepare
from huanjie_lib.risk.scoring import score
from huanjie_lib.vocabulary import UnitKind

__all__ = [
    "Features",
    "before",
    "candidate_columns",
    "city_panel",
    "derive_regions",
    "keyed",
    "known_part",
    "labels",
    "numbers_of",
    "panel_directions",
    "panel_index",
    "place_units",
    "rank_features",
    "terms_of",
    "with_past_outcomes",
]

Floats: TypeAlias = npt.NDArray[np.float64]

_TRUE, _FALSE = {"1", "1.0", "true", "是", "有"}, {"0", "0.0", "false", "否", "无"}
_NAME = re.compile(
    r"(?P<region>.{1,8}?(?:自治州|地区|[縣县市州盟旗]))(?P<locality>.{1,10}?(?:街道|[鄉乡鎮镇區区市]))?"
)
_LEAST_REGIONS = 5
_KNOWN_SHARE = 0.5


# ---------------------------------------------------------------- regions


def derive_regions(units: Collection[str]) -> pd.DataFrame:
    """Return the region and the locality of each unit, read from its code or name.

    The region is what is held out whole, the locality (township) gives a unit its surroundings:

    1. twelve-digit codes: the county (six digits) and the township (nine);
    2. names: up to the first 县, 市, 州, 盟 or 旗, and from there up to the first 街道, 乡, 镇, 区 or 市;
    3. otherwise the shortest beginning of the name that makes at least five groups of at least five units on
       average is both.

    Where rules 1 and 2 give fewer than five regions, the locality is the region too.

    Returns
    -------
    pandas.DataFrame
        By unit: region, locality.

    Raises
    ------
    DataError
        If no rule gives at least two regions.

    Examples
    --------
    >>> derive_regions(["990101001201", "990102003201"]).values.tolist()
    [['990101001', '990101001'], ['990102003', '990102003']]
    >>> derive_regions(["甲"])
    Traceback (most recent call last):
        ...
    huanjie_lib.errors.DataError: 看不出各单位属于哪个片区（共 1 处问题）
    ...
    """
    index = pd.Index(sorted(set(units)), name="unit", dtype="str")
    names = index.to_series()
    found = _read_places(names)
    if found["region"].isna().any():
        found = _by_beginning(names)
    elif found["region"].nunique() < _LEAST_REGIONS:
        found["region"] = found["locality"]
    if found["region"].nunique() < 2:
        raise DataError(
            "看不出各单位属于哪个片区",
            [
                Fault(
                    "单位代码或名称",
                    str(index[0]) if len(index) else "没有单位",
                    "12 位区划代码，或以县（市）、镇街名开头的全称",
                    "用 --region 指明片区所在的列",
                )
            ],
        )
    return found.astype("str")


def _read_places(names: pd.Series[str]) -> pd.DataFrame:
    """Return county and township read from codes or names, missing where a name has neither."""
    if names.str.fullmatch(r"\d{12}").all():
        return pd.DataFrame({"region": names.str[:6], "locality": names.str[:9]})
    found = names.str.extract(_NAME)
    return found.assign(locality=found["region"] + found["locality"].fillna(""))


def _by_beginning(names: pd.Series[str]) -> pd.DataFrame:
    for length in range(1, int(names.str.len().max())):
        begins = names.str[:length]
        groups = begins.nunique()
        if groups >= _LEAST_REGIONS:
            if len(names) < _LEAST_REGIONS * groups:
                break
            return pd.DataFrame({"region": begins, "locality": begins})
    return pd.DataFrame({"region": "", "locality": ""}, index=names.index)


# ---------------------------------------------------------------- the expert index on a panel


def panel_index(panel: pd.DataFrame, parameters: ParameterSet, *, unit: str, term: str) -> pd.DataFrame:
    """Return the index that a pack gives each unit and term of a panel whose columns are its metrics.

    Each term is scored from its own row alone, as of 31 December of its year.

    Parameters
    ----------
    panel
        One row a unit and term; columns named like metrics of the framework.
    parameters
        The pack.
    unit, term
        Names of the key columns; terms are years.

    Returns
    -------
    pandas.DataFrame
        unit, term, index (NaN where a unit has no figure at all).

    Raises
    ------
    DataError
        If no column is a metric of the framework, or a term is not a year.
    """
    metrics = [m for m in parameters.framework.metrics if m in panel.columns]
    years = terms_of(panel[term])
    if not metrics or not all(isinstance(y, int) and 1949 <= y <= 2100 for y in set(years)):
        raise DataError(
            "参数包不能用于这份数据",
            [
                Fault(
                    "--history",
                    "没有参数包里的指标列" if not metrics else "届次不是年份",
                    "列名为 " + "、".join(list(parameters.framework.metrics)[:8]) + " 等，届次为年份",
                    "核对参数包与数据，或不用 --pack",
                )
            ],
        )
    codes = panel[unit].astype("str")
    frames = []
    for year in sorted(set(years)):
        rows = panel.loc[(years == year).to_numpy(), metrics].apply(pd.to_numeric, errors="coerce")
        rows.insert(0, "unit_code", codes)
        day = pd.Timestamp(dt.date(int(year), 12, 31))
        facts = rows.melt("unit_code", var_name="metric", value_name="value").dropna().assign(as_of=day)
        units = pd.DataFrame({"unit_code": rows["unit_code"], "unit_kind": UnitKind.VILLAGE.value})
        prepared = prepare({"units": units, "facts": facts})
        values = indicator_values(prepared, parameters, day.date())
        scores = score(values.value, values.units["unit_kind"].astype("str"), parameters.framework)
        index = scores.index.mask(values.value.isna().all(axis=1))
        frames.append(pd.DataFrame({"unit": index.index, "term": year, "index": index.to_numpy()}))
    return pd.concat(frames, ignore_index=True)


def city_panel(
    tables: Mapping[str, pd.DataFrame], parameters: ParameterSet
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a city's past elections as a panel, and the index as it would have stood before each next one.

    The row of a term holds what the election of that term showed (shares instead of counts) and the figures
    last reported **before the first polling day of the next term**. The index of a term is computed from what
    was on record on the day before that polling day, with the indicators that were known for at least half of
    the units and not the same for all (:func:`known_part`): of a past election most were never recorded.

    Parameters
    ----------
    tables
        Contract tables; ``units`` and ``election_history`` are required.
    parameters
        Framework and rules.

    Returns
    -------
    tuple
        The panel (unit_code, term, features) and the index (unit, term, index; empty where nothing was
        known), without the last term for the index: no election follows it.

    Raises
    ------
    KeyError
        If a required table is not there.
    """
    elections = tables["election_history"]
    ballots, winner = (elections[name].astype("Float64") for name in ("ballots", "winner_votes"))
    runner_up = elections["runner_up_votes"].astype("Float64")
    runner_up = runner_up.mask(runner_up.isna() & (elections["candidates"] == 1), 0.0)
    panel = pd.DataFrame(
        {
            "unit_code": elections["unit_code"],
            "term": elections["term"],
            "electors": elections["electors"],
            "turnout": ballots / elections["electors"].astype("Float64"),
            "invalid_share": elections["invalid_ballots"].astype("Float64") / ballots,
            "proxy_share": elections["proxy_ballots"].astype("Float64") / ballots,
            "candidates": elections["candidates"],
            "margin": (winner - runner_up) / (winner + runner_up),
            "rerun": elections["rerun"],
            "incident": elections["incident"],
        }
    )
    first_day = elections.groupby("term")["election_on"].min().sort_index()
    prepared = prepare(tables)
    reported, indices = [], []
    for term, following in zip(first_day.index[:-1], first_day.iloc[1:], strict=True):
        eve = (following - pd.Timedelta(days=1)).date()
        if "facts" in tables:
            reported.append(_reported(tables["facts"], eve).assign(term=term))
        values = indicator_values(prepared, parameters, eve)
        known = (values.value.notna().mean() >= _KNOWN_SHARE) & (values.value.nunique() > 1)
        usable = list(known.index[known])
        if usable:
            part = known_part(parameters.framework, usable)
            kinds = values.units["unit_kind"].astype("str")
            scores = score(values.value[[i.id for i in part.indicators]], kinds, part)
            nothing = values.value[usable].isna().all(axis=1)
            index = scores.index.mask(nothing).rename_axis("unit").reset_index(name="index")
            indices.append(index.assign(term=term)[["unit", "term", "index"]])
    if reported:
        panel = panel.merge(pd.concat(reported), on=["unit_code", "term"], how="left")
    empty = pd.DataFrame({"unit": [], "term": [], "index": []})
    return panel, pd.concat(indices, ignore_index=True) if indices else empty


def _reported(facts: pd.DataFrame, eve: dt.date) -> pd.DataFrame:
    """Return by unit the figures last reported by a date, one column a metric."""
    rows = facts[facts["as_of"] <= pd.Timestamp(eve)].sort_values("as_of", kind="stable")
    last = rows.drop_duplicates(["unit_code", "metric"], keep="last")
    wide = last.pivot(index="unit_code", columns="metric", values="value")
    return wide.rename_axis(columns=None).reset_index()


def panel_directions(framework: Framework) -> dict[str, int]:
    """Return the direction of each metric that is an indicator by itself: +1 where more means more risk.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> panel_directions(load_parameters().framework)["reserve_people"]
    -1
    """
    found = {}
    for indicator in framework.indicators:
        measure = indicator.measure
        if isinstance(measure, MetricMeasure) and measure.per is None:
            points = indicator.reference_points
            found[measure.metric] = 1 if points[-1][1] > points[0][1] else -1
    return found


def known_part(framework: Framework, indicators: Collection[str]) -> Framework:
    """Return the framework with only those indicators, weights rescaled to sum to one.

    For looking back: of a past election only some indicators are on record, and an index in which all the
    others count as missing would be red everywhere.

    Raises
    ------
    ValueError
        If none of the indicators is in the framework or carries weight.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> part = known_part(load_parameters().framework, ["election_turnout", "election_margin"])
    >>> [d.id for d in part.dimensions], sum(i.weight for i in part.indicators)
    (['election_outlook'], 1.0)
    """
    dimensions = []
    for dimension in framework.dimensions:
        kept = [i for i in dimension.indicators if i.id in indicators and i.weight > 0]
        total = sum(i.weight for i in kept)
        if kept and dimension.weight > 0:
            scaled = tuple(i.model_copy(update={"weight": i.weight / total}) for i in kept)
            weight = dimension.weight * total
            dimensions.append(dimension.model_copy(update={"indicators": scaled, "weight": weight}))
    whole = sum(d.weight for d in dimensions)
    if not whole:
        raise ValueError(f"the framework has none of {sorted(indicators)}")
    return framework.model_copy(
        update={"dimensions": tuple(d.model_copy(update={"weight": d.weight / whole}) for d in dimensions)}
    )


# ---------------------------------------------------------------- reading the two tables


def terms_of(values: pd.Series[Any]) -> pd.Series[Any]:
    """Return terms as integers where all are whole numbers, otherwise as text.

    Examples
    --------
    >>> terms_of(pd.Series(["2014", 2018.0])).tolist(), terms_of(pd.Series(["第9届", "10"])).tolist()
    ([2014, 2018], ['第9届', '10'])
    """
    text = values.astype("str").str.strip()
    number = pd.to_numeric(text.str.replace(r"\.0+$", "", regex=True), errors="coerce")
    whole = number.notna().all() and (number == number.round()).all()
    return number.astype("int64").astype(object) if whole else text.astype(object)


def numbers_of(values: pd.Series[Any]) -> tuple[Floats, str]:
    """Return a column as numbers, or what stands in it that is none."""
    if pd.api.types.is_bool_dtype(values.dtype) or pd.api.types.is_numeric_dtype(values.dtype):
        numbers = np.asarray(values.astype("Float64").to_numpy(dtype=float, na_value=np.nan), dtype=float)
        return numbers, "无穷大" if np.isinf(numbers).any() else ""
    text = values.astype("str").str.strip()
    blank = values.isna() | (text == "")
    words = text.str.lower().map({**dict.fromkeys(_TRUE, 1.0), **dict.fromkeys(_FALSE, 0.0)})
    numbers = pd.to_numeric(text, errors="coerce").fillna(words).mask(blank).to_numpy(dtype=float)
    odd = text[(np.isnan(numbers) & ~blank.to_numpy()) | np.isinf(numbers)]
    return numbers, str(odd.iloc[0]) if len(odd) else ""


def keyed(table: pd.DataFrame, needed: Sequence[str], unit: str, term: str, option: str) -> pd.DataFrame:
    """Return the table with its keys as text and term, after checking that they are keys."""
    missing = [name for name in needed if name not in table.columns]
    if missing:
        columns = "、".join(map(str, table.columns[:20]))
        raise DataError(
            "数据里没有指定的列",
            [Fault(option, f"没有列 {name}", f"其中一列：{columns}", "核对列名") for name in missing],
        )
    blank = table[[unit, term]].isna().any(axis=1)
    if blank.any():
        raise DataError(
            "有的行没有单位或届次",
            [Fault(option, f"{int(blank.sum())} 行", f"每行都填 {unit} 和 {term}", "补填或删去这些行")],
        )
    keyed = table.assign(**{unit: table[unit].astype("str").str.strip(), term: terms_of(table[term])})
    double = keyed.duplicated([unit, term])
    if double.any():
        first = keyed[double].iloc[0]
        raise DataError(
            "同一单位同一届次有多行",
            [Fault(option, f"{first[unit]}，{first[term]}", "每个单位每届一行", "删去重复的行")],
        )
    return keyed.sort_values([unit], kind="stable", ignore_index=True)


def labels(outcomes: pd.DataFrame, outcome: str) -> Floats:
    """Return the outcome as 0, 1 or NaN.

    Raises
    ------
    DataError
        If anything else stands there.

    Examples
    --------
    >>> labels(pd.DataFrame({"出险": ["是", "否", None]}), "出险").tolist()
    [1.0, 0.0, nan]
    """
    numbers, odd = numbers_of(outcomes[outcome])
    strange = numbers[~np.isnan(numbers) & ~np.isin(numbers, (0.0, 1.0))]
    if odd or len(strange):
        raise DataError(
            "结果列不是是否",
            [
                Fault(
                    f"--outcome {outcome}",
                    odd or f"{strange[0]:g}",
                    "0 或 1（是、否），没有结果的留空",
                    "改为 1 表示发生、0 表示没有发生",
                )
            ],
        )
    return numbers


# ---------------------------------------------------------------- features


@dataclass(frozen=True)
class Features:
    """Ranks of every unit and term, and what became of each column."""

    raw: pd.DataFrame
    table: pd.DataFrame
    names: list[str]
    columns: pd.DataFrame


def rank_features(
    history: pd.DataFrame,
    candidates: Sequence[str],
    keys: tuple[str, str],
    terms: Sequence[Any],
    localities: pd.Series[str],
) -> Features:
    """Return ranks of the terms that features may come from; columns that tell nothing are left out."""
    unit, term = keys
    rows = history[history[term].isin(terms)].reset_index(drop=True)
    raw, notes = {}, {}
    for column in candidates:
        numbers, odd = numbers_of(rows[column])
        known = numbers[~np.isnan(numbers)]
        if odd:
            notes[column] = f"不是数字（如“{odd}”），未用"
        elif not len(known):
            notes[column] = "选举前没有数据，未用"
        else:
            raw[column] = numbers
    index = pd.MultiIndex.from_frame(rows[[unit, term]], names=["unit", "term"])
    values = pd.DataFrame(raw, index=index)
    ranks = within_period_ranks(values, rows[term])
    same = [str(c) for c in ranks.columns if (ranks[c] == 0.5).all()]
    notes |= dict.fromkeys(same, "各单位都相同，未用")
    values, ranks = values.drop(columns=same), ranks.drop(columns=same)
    local = locality_means(ranks, rows[term], rows[unit].map(localities))
    columns = pd.DataFrame(
        {"used": [c not in notes for c in candidates], "note": [notes.get(c, "") for c in candidates]},
        index=pd.Index(list(candidates), dtype="str", name="column"),
    )
    return Features(values, pd.concat([ranks, local], axis=1), [str(c) for c in values.columns], columns)


def before(first: Any, second: Any) -> bool:
    """Return whether a term lies before another; text terms compare as text.

    Examples
    --------
    >>> before(2014, 2018), before("2021-03", "2018-11")
    (True, False)
    """
    return str(first) < str(second) if isinstance(first, str) or isinstance(second, str) else first < second


def with_past_outcomes(
    history: pd.DataFrame, outcomes: pd.DataFrame, names: tuple[str, str, str], tested: Any
) -> pd.DataFrame:
    """Return the history with outcomes of earlier terms as a column, where it has no such column itself."""
    unit, term, outcome = names
    past = outcomes[[before(t, tested) for t in outcomes[term]]]
    if outcome in history.columns or past.empty:
        return history
    return history.merge(past[[unit, term, outcome]], on=[unit, term], how="left")


def candidate_columns(
    history: pd.DataFrame, wanted: Sequence[str] | None, keys: Collection[str | None]
) -> list[str]:
    """Return the columns that may be features: those wanted, or all but the keys.

    Raises
    ------
    DataError
        If a wanted column is not there, or is a key.
    """
    columns = [str(c) for c in history.columns if c not in keys]
    wrong = [name for name in wanted or () if name not in columns]
    if wrong:
        allowed = "历史数据里单位、届次、片区以外的列"
        raise DataError(
            "指定的特征列不能用", [Fault("--features", name, allowed, "核对列名") for name in wrong]
        )
    return columns if wanted is None else list(dict.fromkeys(wanted))


def place_units(history: pd.DataFrame, outcomes: pd.DataFrame, unit: str, region: str | None) -> pd.DataFrame:
    """Return region and locality of every unit of both tables.

    The region is that of the named column, or else of :func:`derive_regions`. With a named column the
    locality is still read from the code or name where it lies within one region, and is the region otherwise.

    Raises
    ------
    DataError
        If there is no such column, a unit has no region or several, or there is a single region.
    """
    units = set(history[unit]) | set(outcomes[unit])
    if region is None:
        return derive_regions(units)
    named = [table[[unit, region]].dropna() for table in (history, outcomes) if region in table.columns]
    if not named:
        raise DataError(
            "没有片区列", [Fault("--region", region, "历史或结果文件里的一列", "核对列名，或不填该参数")]
        )
    places = pd.concat(named).astype("str").drop_duplicates()
    double = places[places.duplicated(unit)]
    lacking = sorted(units - set(places[unit]))
    if len(double) or lacking:
        where = str(double[unit].iloc[0]) if len(double) else str(lacking[0])
        raise DataError(
            "单位的片区不清楚",
            [
                Fault(
                    f"--region {region}",
                    f"{where} {'属于多个片区' if len(double) else '没有片区'}",
                    "每个单位属于且只属于一个片区",
                    "改正或补填片区列",
                )
            ],
        )
    found = places.set_index(unit)[region].rename_axis("unit").rename("region")
    if found.nunique() < 2:
        raise DataError(
            "只有一个片区，不能留出检验",
            [Fault(f"--region {region}", found.iloc[0], "至少两个片区", "换一列更小的片区")],
        )
    locality = _read_places(found.index.to_series().sort_index())["locality"]
    nested = locality.notna().all() and found.groupby(locality).nunique().max() == 1
    return pd.DataFrame({"region": found, "locality": locality if nested else found}).sort_index()
