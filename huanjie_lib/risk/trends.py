"""Where each unit is heading, and why colours changed.

**Slopes.** The slope of a series is the median of the slopes between all pairs of its snapshots (Theil 1950;
Sen 1968, JASA 63:1379-1389), with Sen's interval, as ``scipy.stats.theilslopes`` gives them: up to 29 % of
the snapshots may be wild without moving it far. Time is in months of 365.25/12 days, so that snapshots need
not be equally spaced. A figure that nobody reported anew is carried from one snapshot to the next, so that
snapshots depend on each other and the interval is narrower than a test would need: it shows what stands out
in the past and foretells nothing.

**Flips.** A change of level between consecutive snapshots is put down to the movements of points lost, which
add up exactly to the change of the index.

A snapshot at which a unit has no observed value (level ``unknown``) has no index, whatever the missing policy
assumes; a unit with fewer snapshots than the declared least has no slope, and its direction is unknown.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from huanjie_lib.parameters import Framework
from huanjie_lib.risk.prepared import Bools, Floats
from huanjie_lib.vocabulary import Level, Word, date_text

__all__ = [
    "Direction",
    "Flips",
    "Records",
    "Trends",
    "find_flips",
    "find_trends",
    "points_moved",
    "rows_by",
    "sen_slopes",
    "signed_text",
]

MONTH_DAYS = 365.25 / 12
"""Days of a month, the unit of time of a slope."""

INDEX = "index"


class Direction(Word):
    """Where an index is heading; said only where its slope matters and the interval leaves out zero."""

    WORSENING = "worsening", "持续走低"
    IMPROVING = "improving", "持续走高"
    STEADY = "steady", "没有明显升降"
    UNKNOWN = "unknown", "期数太少"


@dataclass(frozen=True)
class Trends:
    """Slopes of the index and of the points lost in each dimension.

    Parameters
    ----------
    units
        By unit code: ``direction``, ``slope``, ``slope_low``, ``slope_high`` (index points a month, negative
        is worse), ``snapshots`` (number with an index), ``first``, ``last`` (their dates) and ``index`` (the
        last one known).
    dimensions
        ``unit_code``, ``dimension``, ``slope``, ``slope_low``, ``slope_high`` (points **lost** a month,
        positive is worse), units × dimensions in long form.
    labels
        Label of each dimension.
    confidence, least
        Level of the intervals; least number of snapshots.
    as_of
        Last snapshot.
    version
        Version of the parameters, or empty.
    """

    units: pd.DataFrame
    dimensions: pd.DataFrame
    labels: Mapping[str, str]
    confidence: float
    least: int
    as_of: dt.date
    version: str = ""

    def __repr__(self) -> str:
        """Return number of units and of those going down, last snapshot and parameter version."""
        down = int((self.units["direction"] == Direction.WORSENING.value).sum())
        version = f", parameters={self.version!r}" if self.version else ""
        return f"Trends(units={len(self.units)}, worsening={down}, as_of={self.as_of}{version})"

    @cached_property
    def _facts(self) -> Records:
        return Records.of(self.units)

    @cached_property
    def _slopes(self) -> Records:
        return Records.of(self.dimensions)

    @cached_property
    def _rows(self) -> Mapping[Any, list[int]]:
        return rows_by(self.dimensions, "unit_code")

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the index slopes by unit code."""
        return self.units.copy()

    def explain(self, unit_code: str) -> str:
        """Return in Chinese where a unit is heading, and which dimension drives it.

        Raises
        ------
        KeyError
            If there is no such unit.
        """
        row = self._facts.of_label(unit_code)
        direction = Direction.lookup()[str(row["direction"])]
        if direction is Direction.UNKNOWN:
            return f"{unit_code}只有{int(row['snapshots'])}期选情指数，不足{self.least}期，不能判断走势。"
        span = f"{date_text(row['first'])}至{date_text(row['last'])}共{int(row['snapshots'])}期"
        text = f"{unit_code}：{span}，选情指数{direction.label}，每月{signed_text(row['slope'])}分"
        low, high = signed_text(row["slope_low"]), signed_text(row["slope_high"])
        text += f"（有{self.confidence:.0%}把握在{low}至{high}分之间）"
        if direction is Direction.STEADY:
            return f"{text}。"
        parts = [self._slopes[place] for place in self._rows[unit_code]]
        own = [(part["slope"], part["dimension"]) for part in parts]
        worse = direction is Direction.WORSENING
        slope, driver = max(own) if worse else min(own)
        if slope == 0 or (slope > 0) != worse:
            return f"{text}。"
        verb = "扣分增加" if worse else "扣分减少"
        return f"{text}，{self.labels[driver]}{verb}最快，每月{signed_text(abs(slope)).lstrip('+')}分。"


def sen_slopes(times: Floats, values: Floats, *, confidence: float = 0.95) -> tuple[Floats, Floats, Floats]:
    """Return the Theil-Sen slope of every row and its interval.

    Parameters
    ----------
    times
        Ascending, all different, shape (t,).
    values
        Shape (n, t); NaN where missing: the snapshot is left out.
    confidence
        Level of the interval.

    Returns
    -------
    tuple
        Slope, low and high, each of shape (n,); NaN in rows with fewer than two values. Equal to
        ``scipy.stats.theilslopes(..., alpha=confidence)`` row by row.

    Examples
    --------
    >>> slope, low, high = sen_slopes(np.arange(5.0), np.array([[1.0, 3, 5, 70, 9], [4, np.nan, 4, 4, 4]]))
    >>> slope.tolist(), low.tolist(), high.tolist()
    ([2.0, 0.0], [-61.0, 0.0], [65.0, 0.0])
    """
    n, t = values.shape
    if t < 2:
        nothing = np.full(n, np.nan)
        return nothing, nothing.copy(), nothing.copy()
    later, earlier = np.tril_indices(t, -1)
    slopes = (values[:, later] - values[:, earlier]) / (times[later] - times[earlier])
    slopes.sort(axis=1)  # NaN last
    known = np.count_nonzero(~np.isnan(values), axis=1)
    pairs = known * (known - 1) // 2
    rows = np.arange(n)
    enough = pairs > 0

    def at(place: npt.NDArray[np.intp]) -> Floats:
        return np.where(enough, slopes[rows, np.clip(place, 0, np.maximum(pairs - 1, 0))], np.nan)

    median = (at((pairs - 1) // 2) + at(pairs // 2)) / 2
    # Sen (1968), equation 2.6: the variance of Kendall's sum, less the ties among the values
    alike = (values[:, :, None] == values[:, None, :]).sum(axis=2)
    ties = np.where(alike > 0, (alike - 1) * (2 * alike + 5), 0).sum(axis=1)
    sigma = np.sqrt((known * (known - 1) * (2 * known + 5) - ties) / 18.0)
    reach = stats.norm.ppf(0.5 + confidence / 2) * sigma
    low = np.maximum(np.round((pairs - reach) / 2.0).astype(np.intp) - 1, 0)
    high = np.minimum(np.round((pairs + reach) / 2.0).astype(np.intp), pairs - 1)
    return median, at(low), at(high)


def find_trends(
    history: pd.DataFrame,
    framework: Framework,
    *,
    least: int = 6,
    confidence: float = 0.95,
    least_slope: float = 0.2,
    version: str = "",
) -> Trends:
    """Return the slopes of every unit over the snapshots.

    Parameters
    ----------
    history
        ``unit_code``, ``as_of``, ``index``, ``level`` and points lost per dimension, one row a unit and
        snapshot, as ``RiskResult.history``.
    framework
        Framework whose dimensions the columns are.
    least
        Least number of snapshots with an index for a slope, at least 3.
    confidence
        Level of the intervals.
    least_slope
        Points a month below which a slope is no direction, however regular.
    version
        Version of the parameters, to be shown with the result.

    Returns
    -------
    Trends
        All units of the history, by code; those without a slope have ``direction`` ``unknown``.

    Raises
    ------
    KeyError
        If a column is missing.
    ValueError
        If a unit stands twice in one snapshot, the history is empty, or a parameter is out of range.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> framework = load_parameters().framework
    >>> rows = [{"unit_code": "a", "as_of": pd.Timestamp(2026, m, 28), "index": 90.0 - 2 * m,
    ...          "level": "yellow", **{d.id: (10.0 + 2 * m) / 7 for d in framework.dimensions}}
    ...         for m in range(1, 9)]
    >>> trends = find_trends(pd.DataFrame(rows), framework)
    >>> trends
    Trends(units=1, worsening=1, as_of=2026-08-28)
    >>> trends.explain("a").split("，")[:2]
    ['a：2026年1月28日至2026年8月28日共8期', '选情指数持续走低']
    """
    if history.empty or least < 3 or not 0 < confidence < 1 or least_slope < 0:
        raise ValueError("history needs rows; least >= 3, 0 < confidence < 1, least_slope >= 0")
    ids = [d.id for d in framework.dimensions]
    wide = _wide(history, [INDEX, *ids])
    dates, codes = pd.DatetimeIndex(wide[INDEX].columns), wide[INDEX].index
    times = (dates - dates[0]).days.to_numpy(dtype=np.float64) / MONTH_DAYS
    index = wide[INDEX].to_numpy()
    known = ~np.isnan(index)
    count = known.sum(axis=1)
    enough = count >= least
    found = {name: sen_slopes(times, wide[name].to_numpy(), confidence=confidence) for name in (INDEX, *ids)}
    slope, low, high = (np.where(enough, part, np.nan) for part in found[INDEX])
    direction = np.select(
        [~enough, (high < 0) & (slope <= -least_slope), (low > 0) & (slope >= least_slope)],
        [Direction.UNKNOWN.value, Direction.WORSENING.value, Direction.IMPROVING.value],
        Direction.STEADY.value,
    )
    seen = count > 0
    first, last = np.argmax(known, axis=1), known.shape[1] - 1 - np.argmax(known[:, ::-1], axis=1)
    stamps = dates.to_numpy()
    units = pd.DataFrame(
        {
            "direction": pd.Series(direction, dtype="str").array,
            "slope": slope,
            "slope_low": low,
            "slope_high": high,
            "snapshots": count,
            "first": pd.Series(stamps[first]).where(seen).array,
            "last": pd.Series(stamps[last]).where(seen).array,
            "index": np.where(seen, index[np.arange(len(index)), last], np.nan),
        },
        index=codes,
    )
    n = len(codes)
    dimensions = pd.DataFrame(
        {
            "unit_code": np.repeat(codes.to_numpy(), len(ids)),
            "dimension": np.tile(np.array(ids, dtype=object), n),
            **{
                column: np.where(
                    enough[:, None], np.column_stack([found[d][part] for d in ids]), np.nan
                ).ravel()
                for part, column in enumerate(("slope", "slope_low", "slope_high"))
            },
        }
    )
    return Trends(
        units=units,
        dimensions=dimensions,
        labels={d.id: d.label for d in framework.dimensions},
        confidence=confidence,
        least=least,
        as_of=dates[-1].date(),
        version=version,
    )


@dataclass(frozen=True)
class Flips:
    """Every change of level between consecutive snapshots, with the movements of points behind it.

    Parameters
    ----------
    flips
        ``unit_code``, ``before``, ``as_of`` (dates), ``from_level``, ``to_level``, ``index_before``,
        ``index``, ``change`` and ``worse`` (towards red, or into having no data); in order of date, then
        code. The index is NaN where the level is unknown.
    causes
        ``unit_code``, ``as_of``, ``grain`` (``indicator`` where the points of both snapshots were handed in,
        else ``dimension``), ``cause``, ``label`` and ``points`` (change of points lost, positive is worse),
        largest first in the direction of the flip. The points of a flip add up to minus its change (1e-10, to
        which an index is rounded). A flip from or into having no data has none.
    units
        Codes of all units of the history.
    snapshots
        Number of snapshots compared.
    as_of
        Last snapshot.
    version
        Version of the parameters, or empty.
    """

    flips: pd.DataFrame
    causes: pd.DataFrame
    units: frozenset[str]
    snapshots: int
    as_of: dt.date
    version: str = ""

    def __repr__(self) -> str:
        """Return number of units, flips and of those for the worse, last snapshot and parameter version."""
        version = f", parameters={self.version!r}" if self.version else ""
        worse = int(self.flips["worse"].sum())
        counts = f"units={len(self.units)}, flips={len(self.flips)}, worse={worse}"
        return f"Flips({counts}, as_of={self.as_of}{version})"

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the flips."""
        return self.flips.copy()

    def explain(self, unit_code: str, *, most: int = 3) -> str:
        """Return in Chinese every change of colour of a unit, the latest first, with its main causes.

        Raises
        ------
        KeyError
            If there is no such unit.
        """
        if unit_code not in self.units:
            raise KeyError(unit_code)
        if unit_code not in self._rows:
            return f"{unit_code}在{self.snapshots}期快照中没有变色。"
        rows = [self._facts[place] for place in self._rows[unit_code][::-1]]
        return "".join(self._sentence(row, most) for row in rows)

    @cached_property
    def _facts(self) -> Records:
        return Records.of(self.flips)

    @cached_property
    def _rows(self) -> Mapping[Any, list[int]]:
        return rows_by(self.flips, "unit_code")

    @cached_property
    def _movements(self) -> Records:
        return Records.of(self.causes)

    @cached_property
    def _cause_rows(self) -> Mapping[Any, list[int]]:
        return rows_by(self.causes, ["unit_code", "as_of"])

    def _sentence(self, row: Mapping[Any, Any], most: int) -> str:
        levels = Level.lookup()
        old, new = levels[str(row["from_level"])], levels[str(row["to_level"])]
        when = f"{date_text(row['before'])}至{date_text(row['as_of'])}"
        text = f"{row['unit_code']}在{when}之间由{old.label}转为{new.label}"
        if np.isnan(row["change"]):
            how = "没有可用的数据，不能说明变好" if new is Level.UNKNOWN else "此前没有数据，首次评出颜色"
            return f"{text}：{how}。"
        change = signed_text(row["change"])
        text += f"，选情指数由{row['index_before']:.1f}分变为{row['index']:.1f}分（{change}分）"
        places = self._cause_rows.get((row["unit_code"], row["as_of"]), [])[:most]
        causes = [self._movements[place] for place in places]
        named = [
            f"{cause['label']}{'多扣' if cause['points'] > 0 else '少扣'}{abs(cause['points']):.1f}分"
            for cause in causes
            if (cause["points"] > 0) == row["worse"] and abs(cause["points"]) >= 0.05
        ]
        return f"{text}，主要因为{'、'.join(named)}。" if named else f"{text}。"


def points_moved(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Return by how much the points lost by each indicator changed between two snapshots.

    Parameters
    ----------
    before, after
        Points lost, units × indicators, NaN where an indicator does not apply (``Scores.points``).

    Returns
    -------
    pandas.DataFrame
        Units of both × indicators of either, positive is worse. An indicator that did not apply, or that the
        framework did not have, lost no points there, so that a row adds up to minus the change of the index.

    Examples
    --------
    >>> before = pd.DataFrame({"a": [1.0], "b": [np.nan]}, index=["x"])
    >>> points_moved(before, pd.DataFrame({"a": [0.25], "c": [2.0]}, index=["x"])).loc["x"].to_dict()
    {'a': -0.75, 'b': 0.0, 'c': 2.0}
    """
    units = before.index.intersection(after.index, sort=False)
    columns = before.columns.union(after.columns, sort=False)
    one, other = (f.reindex(index=units, columns=columns).fillna(0.0) for f in (before, after))
    return other - one


def find_flips(
    history: pd.DataFrame,
    framework: Framework,
    *,
    points: Mapping[dt.date, pd.DataFrame] | None = None,
    version: str = "",
) -> Flips:
    """Return every change of level between consecutive snapshots and the movements of points behind it.

    Parameters
    ----------
    history
        As in :func:`find_trends`.
    framework
        Framework of the history; gives the labels.
    points
        Points lost by indicator (``Scores.points``) at the snapshots for which they are at hand. A flip
        between two of them is put down to indicators, another to dimensions.
    version
        Version of the parameters, to be shown with the result.

    Returns
    -------
    Flips
        Snapshots are those of the whole history; a unit that one of two consecutive snapshots lacks (a code
        not yet or no longer in force) has no flip there.

    Raises
    ------
    KeyError
        If a column is missing.
    ValueError
        If a unit stands twice in one snapshot, or the history is empty.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> framework = load_parameters().framework
    >>> none = dict.fromkeys((d.id for d in framework.dimensions), 0.0)
    >>> rows = [{"unit_code": "a", "as_of": pd.Timestamp(2026, 8, 31), "index": 85.0, "level": "green",
    ...          **none, "finance_audit": 15.0},
    ...         {"unit_code": "a", "as_of": pd.Timestamp(2026, 9, 30), "index": 75.0, "level": "yellow",
    ...          **none, "finance_audit": 15.0, "conflict_petition": 10.0}]
    >>> find_flips(pd.DataFrame(rows), framework).explain("a").split("，")[-1]
    '主要因为矛盾信访多扣10.0分。'
    """
    if history.empty:
        raise ValueError("history must have rows")
    ids = [d.id for d in framework.dimensions]
    wide = _wide(history, [INDEX, *ids])
    index, levels = wide[INDEX], _levels(history)
    labels = {d.id: d.label for d in framework.dimensions} | {i.id: i.label for i in framework.indicators}
    rank = {Level.RED.value: 1, Level.YELLOW.value: 2, Level.GREEN.value: 3, Level.UNKNOWN.value: 0}
    dates, codes = pd.DatetimeIndex(index.columns), index.index
    at_hand = {pd.Timestamp(date): frame for date, frame in (points or {}).items()}
    flips, causes = [], []
    # a single snapshot is compared with itself: nothing changed
    for before, now in list(itertools.pairwise(dates)) or [(dates[0], dates[0])]:
        old, new = levels[before].to_numpy(dtype=object), levels[now].to_numpy(dtype=object)
        rows = np.flatnonzero(levels[before].notna() & levels[now].notna() & (old != new))
        frame = pd.DataFrame(
            {
                "unit_code": codes[rows],
                "before": before,
                "as_of": now,
                "from_level": pd.Series(old[rows], dtype="str"),
                "to_level": pd.Series(new[rows], dtype="str"),
                "index_before": index[before].to_numpy()[rows],
                "index": index[now].to_numpy()[rows],
                "worse": [rank[str(n)] < rank[str(o)] for o, n in zip(old[rows], new[rows], strict=True)],
            }
        )
        frame.insert(7, "change", frame["index"] - frame["index_before"])
        flips.append(frame.astype({"worse": "bool"}))
        told = frame[frame["change"].notna()]
        if before in at_hand and now in at_hand:
            grain, moved = "indicator", points_moved(at_hand[before], at_hand[now]).loc[told["unit_code"]]
        else:
            grain = "dimension"
            moved = pd.DataFrame(
                {d: wide[d][now].loc[told["unit_code"]] - wide[d][before].loc[told["unit_code"]] for d in ids}
            )
        causes.append(_causes(moved, now, told["worse"].to_numpy(dtype=bool), grain, labels))
    return Flips(
        flips=pd.concat(flips, ignore_index=True),
        causes=pd.concat(causes, ignore_index=True),
        units=frozenset(codes.astype("str")),
        snapshots=len(dates),
        as_of=dates[-1].date(),
        version=version,
    )


def _causes(
    moved: pd.DataFrame, date: pd.Timestamp, worse: Bools, grain: str, labels: Mapping[str, str]
) -> pd.DataFrame:
    """Return the movements of some flips in long form, those that fit the flip first, largest first."""
    k = moved.shape[1]
    signed = np.where(worse[:, None], -moved.to_numpy(), moved.to_numpy())
    order = np.argsort(signed, axis=1, kind="stable")
    names = moved.columns.to_numpy(dtype=object)[order].ravel()
    frame = pd.DataFrame(
        {
            "unit_code": np.repeat(moved.index.to_numpy(), k),
            "as_of": date,
            "grain": grain,
            "cause": names,
            "label": [labels.get(str(name), str(name)) for name in names],
            "points": np.take_along_axis(moved.to_numpy(), order, axis=1).ravel(),
        }
    )
    return frame[frame["points"] != 0.0].astype(
        {"unit_code": "str", "grain": "str", "cause": "str", "label": "str"}
    )


def _levels(history: pd.DataFrame) -> pd.DataFrame:
    return history.pivot(index="unit_code", columns="as_of", values="level").sort_index().sort_index(axis=1)


def _wide(history: pd.DataFrame, columns: list[str]) -> dict[str, pd.DataFrame]:
    """Return units × snapshots of each column, NaN where a unit has no observed value at all."""
    seen = history["level"] != Level.UNKNOWN.value
    wide = {}
    for column in columns:
        known = history[["unit_code", "as_of"]].assign(value=history[column].where(seen))
        wide[column] = (
            known.pivot(index="unit_code", columns="as_of", values="value").sort_index().sort_index(axis=1)
        )
    return wide


def rows_by(frame: pd.DataFrame, by: str | list[str]) -> dict[Any, list[int]]:
    """Return the places of the rows of each key, in order, so that many look-ups need one pass.

    Examples
    --------
    >>> rows_by(pd.DataFrame({"unit_code": ["a", "b", "a"]}), "unit_code")
    {'a': [0, 2], 'b': [1]}
    """
    return {key: np.asarray(rows).tolist() for key, rows in frame.groupby(by).indices.items()}


@dataclass(frozen=True)
class Records:
    """The rows of a frame, read one by one by place or label: no frame is made for a row.

    Parameters
    ----------
    columns
        Values of each column.
    labels
        Label of each row.

    Examples
    --------
    >>> Records.of(pd.DataFrame({"unit_code": ["a", "b"], "level": ["red", "green"]}))[1]
    {'unit_code': 'b', 'level': 'green'}
    """

    columns: Mapping[str, Any]
    labels: pd.Index

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Records:
        """Return the rows of a frame; its values are not copied."""
        return cls({str(name): column.array for name, column in frame.items()}, frame.index)

    def __getitem__(self, place: int) -> dict[str, Any]:
        """Return one row by column."""
        return {name: values[place] for name, values in self.columns.items()}

    def of_label(self, label: Hashable) -> dict[str, Any]:
        """Return the row of a label.

        Raises
        ------
        KeyError
            If no row has it, or more than one.
        """
        place = self.labels.get_loc(label)
        if not isinstance(place, int):
            raise KeyError(f"{label!r} stands more than once")
        return self[place]


def signed_text(value: float) -> str:
    """Return a change with its sign; two decimals where one would show nothing.

    Examples
    --------
    >>> signed_text(1.26), signed_text(-0.02), signed_text(0.0)
    ('+1.3', '−0.02', '0.0')
    """
    text = f"{abs(value):.1f}" if abs(value) >= 0.05 or value == 0 else f"{abs(value):.2f}"
    return text if float(text) == 0 else f"{'−' if value < 0 else '+'}{text}"
