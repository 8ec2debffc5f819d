"""The change account: why each unit's index moved between two dates, exact to the last digit.

Five causes may change an index: values of the earlier date that were revised since, newer data, other
reference points, other weights, and another method (indicators added or removed, measures, missing policy,
power of a dimension, kinds of unit, dated rules). They work on each other, so a fixed order would credit the
first with what it shares with the next. Each cause gets its mean step over **all** orders in which data,
reference points, weights and method can be switched from old to new one by one: the Shapley value (Shapley
1953, *Contributions to the Theory of Games* II:307-317). The data are switched in two steps next to each
other, first the revision and then the newer data, for the values of the later date exist in today's edition
only; so data are one player with two parts (a union of Owen 1977, in *Essays in Mathematical Economics and
Game Theory*, 76-88), and an earlier edition without revisions changes no other share. Along each order the
steps add up to the whole movement, so their means do, for every indicator of every unit.

Each state is scored anew from its values:

* data: the earlier edition at the earlier date → the rows of that edition as they read in today's
  (**revised**) → today's edition at the later date (**newer data**: reported since, updated, or out of date);
* an indicator that only one framework has comes and goes with the method, with its reference points and its
  weight; the others share the rest of the weight in their proportions. If they kept their proportions, the
  weights contribute nothing;
* where the measure of an indicator changed, its reference points belong to the method, for they are in
  other units;
* a rule of the rule pack that changed between the dates is a change of method.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from huanjie_lib.contracts import TABLES
from huanjie_lib.parameters import DerivedMeasure, Dimension, Framework, Indicator, ParameterSet
from huanjie_lib.risk.classification import classify
from huanjie_lib.risk.indicators import IndicatorValues, indicator_values
from huanjie_lib.risk.prepared import Floats, Prepared, prepare
from huanjie_lib.risk.scoring import Scores, score
from huanjie_lib.risk.trends import rows_by, signed_text
from huanjie_lib.vocabulary import Level, Word, date_text

__all__ = ["Cause", "ChangeAccount", "change_account", "restated_index", "revised_tables"]

Tables = Mapping[str, pd.DataFrame]


class Cause(Word):
    """Why an index moved, or a colour changed."""

    REVISED = "revised", "往期数据订正"
    NEW = "new", "数据更新"
    REFERENCE = "reference", "评分标准调整"
    WEIGHTS = "weights", "权重调整"
    METHOD = "method", "评价方法调整"
    CUTOFFS = "cutoffs", "分界线调整"


PARTS = (Cause.REVISED, Cause.NEW, Cause.REFERENCE, Cause.WEIGHTS, Cause.METHOD)
"""Causes that move an index; cut-offs change its colour only."""

_TURNS = ((Cause.REVISED, Cause.NEW), (Cause.REFERENCE,), (Cause.WEIGHTS,), (Cause.METHOD,))
"""What is switched on in any order; of one turn, in the order given."""

SHOWN = 0.05
"""Movements below this round to 0.0 and are not named in a sentence."""


@dataclass(frozen=True)
class ChangeAccount:
    """How the movement of each index splits into its causes.

    Parameters
    ----------
    units
        By unit code: ``index_before``, ``restated`` (the earlier index with its data as revised, under
        today's parameters and rules), ``index_after``, ``change``, one column per cause of :data:`PARTS`
        (index points, positive is better; they add up to ``change``), ``level_before``, ``level_after`` and
        ``cause`` (value of :class:`Cause` where the colour changed, else empty).
    indicators
        ``unit_code``, ``indicator``, ``cause`` and ``points`` (index points, positive is better) where not
        zero; they add up to the columns of ``units``.
    only_before, only_after
        Units in force on one of the dates only; they have no account.
    before, after
        The dates.
    labels
        Label of each indicator.
    edition_kept
        Whether the earlier tables or values were handed in; if not, revisions are part of newer data.
    versions
        Versions of the parameters before and after.
    """

    units: pd.DataFrame
    indicators: pd.DataFrame
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    before: dt.date
    after: dt.date
    labels: Mapping[str, str]
    edition_kept: bool
    versions: tuple[str, str]

    def __repr__(self) -> str:
        """Return number of units and of changed colours, both dates and the parameter versions."""
        changed = int((self.units["level_before"] != self.units["level_after"]).sum())
        old, new = self.versions
        version = repr(new) if old == new else f"{old!r} -> {new!r}"
        counts = f"units={len(self.units)}, change_colour={changed}"
        return f"ChangeAccount({counts}, from={self.before}, as_of={self.after}, parameters={version})"

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the account by unit code."""
        return self.units.copy()

    def city(self) -> pd.Series[float]:
        """Return the means over all units with an account: both indices, the change and its causes."""
        return self.units[["index_before", *(c.value for c in PARTS), "index_after", "change"]].mean()

    def summary(self) -> str:
        """Return in Chinese how the mean index moved, by cause, and how many colours changed."""
        mean = self.city()
        parts = [f"{c.label}{signed_text(mean[c.value])}分" for c in PARTS if abs(mean[c.value]) >= SHOWN]
        turned = int((self.units["level_before"] != self.units["level_after"]).sum())
        return (
            f"与{date_text(self.before)}相比，可比的{len(self.units)}个村（社区）平均选情指数由"
            f"{mean['index_before']:.1f}分变为{mean['index_after']:.1f}分"
            f"{'（' + '，'.join(parts) + '）' if parts else ''}，{turned}个变色。"
        )

    def explain(self, unit_code: str) -> str:
        """Return in Chinese why a unit's index moved, and why its colour changed if it did.

        Raises
        ------
        KeyError
            If there is no such unit on either date.
        """
        if unit_code in self.only_after:
            return f"{unit_code}在{date_text(self.before)}还没有启用，没有可比的上期指数。"
        if unit_code in self.only_before:
            return f"{unit_code}在{date_text(self.after)}已经停用，没有本期指数。"
        row: dict[str, Any] = dict(self.units.loc[unit_code])
        before, after = f"{row['index_before']:.1f}分", f"{row['index_after']:.1f}分"
        text = f"{unit_code}选情指数{date_text(self.before)}为{before}，{date_text(self.after)}为{after}"
        parts = [f"{c.label}{signed_text(row[c.value])}分" for c in PARTS if abs(row[c.value]) >= SHOWN]
        if abs(row["change"]) < SHOWN:
            moves = "，互相抵消" if parts else ""
            text += f"，没有变化{'：' + '，'.join(parts) if parts else ''}{moves}。"
        else:
            text += f"，变化{signed_text(row['change'])}分：{'，'.join(parts)}。"
        if not self.edition_kept:
            text += "没有留存上期数据，往期数据订正并入数据更新。"
        return text + self._colour(unit_code, row)

    @cached_property
    def _rows(self) -> Mapping[Any, list[int]]:
        return rows_by(self.indicators, ["unit_code", "cause"])

    def _colour(self, unit_code: str, row: Mapping[str, Any]) -> str:
        old, new = (Level.lookup()[str(row[c])] for c in ("level_before", "level_after"))
        if old is new:
            return f"仍为{old.label}。"
        cause = Cause.lookup()[str(row["cause"])]
        text = f"由{old.label}转为{new.label}，主要因为{cause.label}"
        mine = self.indicators.iloc[self._rows.get((unit_code, cause.value), [])]
        up = row["change"] > 0
        fits = mine[mine["points"] >= SHOWN] if up else mine[mine["points"] <= -SHOWN]
        named = [
            f"{self.labels[name]}{'少扣' if up else '多扣'}{abs(points):.1f}分"
            for name, points in fits.sort_values("points", ascending=not up, kind="stable")[
                ["indicator", "points"]
            ]
            .head(3)
            .itertuples(index=False)
        ]
        return f"{text}（{'、'.join(named)}）。" if named else f"{text}。"

    def colour_changes(self) -> pd.DataFrame:
        """Return the units whose colour changed, the largest movement first, with their sentence.

        Returns
        -------
        pandas.DataFrame
            unit_code, level_before, level_after, change, cause, sentence.
        """
        changed = self.units[self.units["level_before"] != self.units["level_after"]]
        order = changed["change"].abs().sort_values(ascending=False, kind="stable").index
        frame = changed.loc[order, ["level_before", "level_after", "change", "cause"]].reset_index()
        return frame.assign(sentence=[self.explain(str(code)) for code in frame["unit_code"]])


def revised_tables(earlier: Tables, latest: Tables) -> dict[str, pd.DataFrame]:
    """Return the rows of an earlier edition as they read in the latest.

    Parameters
    ----------
    earlier, latest
        Contract tables by name.

    Returns
    -------
    dict
        The rows of ``latest`` whose key the same table of ``earlier`` holds. A row withdrawn since is left
        out, so that withdrawing counts as a revision; a row filed since is left out too, for it is new.

    Examples
    --------
    >>> facts = pd.DataFrame({"unit_code": ["a"], "as_of": pd.to_datetime(["2026-01-31"]),
    ...                       "metric": ["households"], "value": [300.0]})
    >>> more = pd.concat([facts.assign(value=310.0), facts.assign(metric="residents")])
    >>> revised_tables({"facts": facts}, {"facts": more})["facts"][["metric", "value"]].values.tolist()
    [['households', 310.0]]
    """
    kept = {}
    for name, frame in latest.items():
        if name not in TABLES or name not in earlier:
            continue
        key = list(TABLES[name].key)
        known = earlier[name][key].drop_duplicates()
        place = frame[key].merge(known.assign(_known=True), on=key, how="left")["_known"].notna()
        kept[name] = frame[place.to_numpy()]
    return kept


def restated_index(
    tables: Tables, parameters: ParameterSet, *, as_of: dt.date, rules_on: dt.date | None = None
) -> pd.DataFrame:
    """Return the index of an earlier date as the method of today would have had it.

    Parameters
    ----------
    tables
        Contract tables.
    parameters
        Parameters of today.
    as_of
        The earlier date; nothing dated later is used.
    rules_on
        Date whose rules apply; those of ``as_of`` when omitted.

    Returns
    -------
    pandas.DataFrame
        By unit code: ``index``, ``index_low``, ``index_high``; ``index`` is NaN without a single value.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> units = pd.DataFrame({"unit_code": ["990101001201"], "unit_kind": ["village"]})
    >>> restated_index({"units": units}, load_parameters(), as_of=dt.date(2026, 9, 30)).values.tolist()
    [[nan, 0.0, 100.0]]
    """
    rules = parameters if rules_on is None else _rules_of(parameters, rules_on)
    values = indicator_values(prepare(tables), rules, as_of)
    found = score(values.value, _kinds(values), parameters.framework)
    nothing = found.severity.isna().all(axis=1)
    return pd.DataFrame(
        {"index": found.index.mask(nothing), "index_low": found.index_low, "index_high": found.index_high}
    )


def change_account(
    latest: Tables,
    new: ParameterSet,
    *,
    before: dt.date,
    after: dt.date,
    earlier: Tables | None = None,
    published: pd.DataFrame | None = None,
    old: ParameterSet | None = None,
    level_before: pd.Series[str] | None = None,
) -> ChangeAccount:
    """Split the movement of every index between two dates into its causes.

    Parameters
    ----------
    latest
        Today's edition of the tables.
    new
        Parameters of the later index.
    before, after
        Dates of the two indices.
    earlier
        The tables as they were when the earlier index was published.
    published
        Where those tables were not kept: the indicator values as published on the earlier date, units ×
        indicators of ``old``, NaN where missing. A value that was published and reads otherwise today is
        revised; one that was missing then and is known now is newer data. Without either, revisions are part
        of newer data.
    old
        Parameters of the earlier index; the new ones when omitted.
    level_before
        Published level of each unit on the earlier date, by unit code; by its index when omitted. The later
        level follows from it with hysteresis.

    Returns
    -------
    ChangeAccount
        Of the units in force on both dates in all editions.

    Raises
    ------
    ValueError
        If ``before`` is not earlier than ``after``, or both ``earlier`` and ``published`` are given.
    KeyError
        If ``published`` lacks an indicator.
    ParameterError
        If a rule is not in force on a date.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> units = pd.DataFrame({"unit_code": ["990101001201"], "unit_kind": ["village"]})
    >>> def facts(*rows):
    ...     frame = pd.DataFrame(rows, columns=["as_of", "value"]).assign(
    ...         unit_code="990101001201", metric="reserve_people")
    ...     return {"units": units, "facts": frame.assign(as_of=pd.to_datetime(frame["as_of"]))}
    >>> account = change_account(
    ...     facts(("2026-08-31", 2.0), ("2026-10-15", 0.0)), load_parameters(),
    ...     before=dt.date(2026, 9, 30), after=dt.date(2026, 10, 31), earlier=facts(("2026-08-31", 1.0)))
    >>> account.units.loc["990101001201", ["change", "revised", "new", "weights"]].round(2).to_dict()
    {'change': -1.28, 'revised': 1.92, 'new': -3.2, 'weights': 0.0}
    """
    if before >= after:
        raise ValueError(f"the earlier date must come first, found {before} and {after}")
    if earlier is not None and published is not None:
        raise ValueError("give the earlier tables or the published values, not both")
    old = new if old is None else old
    states = _States(latest, earlier, published, old, new, before, after)
    parts = states.shares()
    codes, columns = states.codes, states.columns
    nothing_before = states.scores(0, 0, 0, 0).severity.isna().all(axis=1).loc[codes]
    nothing_after = states.scores(2, 1, 1, 1).severity.isna().all(axis=1).loc[codes]
    index_before = states.scores(0, 0, 0, 0).index.loc[codes]
    index_after = states.scores(2, 1, 1, 1).index.loc[codes]
    held = classify(index_before.mask(nothing_before), old.classification)
    if level_before is not None:
        held = level_before.reindex(codes).fillna(held).astype("str")
    level_after = classify(index_after.mask(nothing_after), new.classification, previous=held)
    units = pd.DataFrame(
        {
            "index_before": index_before,
            "restated": states.scores(1, 1, 1, 1).index.loc[codes],
            "index_after": index_after,
            "change": index_after - index_before,
            **{cause.value: part.sum(axis=1) for cause, part in parts.items()},
            "level_before": held.to_numpy(),
            "level_after": level_after.to_numpy(),
        },
        index=codes,
    )
    same_cuts = classify(index_after.mask(nothing_after), old.classification, previous=held)
    units["cause"] = _colour_cause(units, same_cuts)
    labels = {i.id: i.label for p in (old, new) for i in p.framework.indicators}
    return ChangeAccount(
        units=units,
        indicators=_long(codes, columns, parts),
        only_before=tuple(states.values(0, 0).value.index.difference(codes).astype("str")),
        only_after=tuple(states.values(2, 1).value.index.difference(codes).astype("str")),
        before=before,
        after=after,
        labels=labels,
        edition_kept=earlier is not None or published is not None,
        versions=(old.version, new.version),
    )


def _colour_cause(units: pd.DataFrame, same_cuts: pd.Series[str]) -> pd.Series[str]:
    """Return what changed each colour: the cut-offs where it would not have changed without, or a part."""
    names = [c.value for c in PARTS]
    signed = units[names].mul(np.sign(units["change"]), axis=0)
    cause = np.array(names, dtype=object)[signed.to_numpy().argmax(axis=1)]
    cause = np.where(same_cuts == units["level_before"], Cause.CUTOFFS.value, cause)
    changed = units["level_before"] != units["level_after"]
    return pd.Series(np.where(changed, cause, ""), index=units.index, dtype="str")


def _long(codes: pd.Index[Any], columns: Sequence[str], parts: Mapping[Cause, Floats]) -> pd.DataFrame:
    frames = []
    for cause, part in parts.items():
        row, column = np.nonzero(part)
        names = np.array(columns, dtype=object)[column]
        frames.append(
            pd.DataFrame(
                {
                    "unit_code": codes[row],
                    "indicator": names,
                    "cause": cause.value,
                    "points": part[row, column],
                }
            )
        )
    frame = pd.concat(frames, ignore_index=True)
    return frame.astype({"unit_code": "str", "indicator": "str", "cause": "str"})


class _States:
    """The scores of every mixture of old and new; equal mixtures are computed once.

    A state is (data, reference, weights, method): data 0 is the earlier edition at the earlier date, 1 its
    rows as they read today, 2 today's edition at the later date; the others are 0 old, 1 new.
    """

    def __init__(
        self,
        latest: Tables,
        earlier: Tables | None,
        published: pd.DataFrame | None,
        old: ParameterSet,
        new: ParameterSet,
        before: dt.date,
        after: dt.date,
    ) -> None:
        today = prepare(latest)
        first, again = (today, today) if earlier is None else (prepare(earlier), _revised(earlier, latest))
        self._data = ((first, before), (again, before), (today, after))
        self._published = published
        self._same_data = earlier is None and published is None
        self._methods = (_rules_of(old, before), _rules_of(new, after))
        self._asked = tuple({i.id: _asked(m, i) for i in m.framework.indicators} for m in self._methods)
        self._values: dict[tuple[int, int], IndicatorValues] = {}
        self._frameworks: list[Framework] = []
        self._scores: dict[tuple[int, int], Scores] = {}
        in_force = [self.values(data, 0).value.index for data in (0, 1, 2)]
        codes = in_force[0].intersection(in_force[1]).intersection(in_force[2])
        self.codes = (codes if published is None else codes.intersection(published.index)).sort_values()
        self.columns = list(dict.fromkeys(name for asked in self._asked for name in asked))

    def values(self, data: int, method: int) -> IndicatorValues:
        """Return the indicator values of a data state under a method."""
        key = (
            0 if data == 1 and self._same_data else data,
            0 if self._asked[0] == self._asked[1] else method,
        )
        if key not in self._values:
            prepared, date = self._data[data]
            found = indicator_values(prepared, self._methods[method], date)
            if self._published is not None and data < 2:
                value = self._as_published(self._published, found.value, method, read_again=data == 1)
                found = replace(found, value=value)
            self._values[key] = found
        return self._values[key]

    def _as_published(
        self, published: pd.DataFrame, today: pd.DataFrame, method: int, *, read_again: bool
    ) -> pd.DataFrame:
        """Return the values as published, or those that were published as they read today.

        An indicator that the method asks for otherwise than the old one was not published so: it is read from
        today's edition.
        """
        known = [name for name, asked in self._asked[method].items() if self._asked[0].get(name) == asked]
        then = published.reindex(index=today.index)[known]
        return today.assign(**(today[known].where(then.notna()) if read_again else then))

    def scores(self, data: int, reference: int, weights: int, method: int) -> Scores:
        """Return the scores of a state."""
        structure, points, shares = (self._methods[m].framework for m in (method, reference, weights))
        framework = _mixed(structure, points, shares)
        alike = (n for n, f in enumerate(self._frameworks) if f.dimensions == framework.dimensions)
        number = next(alike, len(self._frameworks))
        if number == len(self._frameworks):
            self._frameworks.append(framework)
        values = self.values(data, method)
        key = (id(values), number)
        if key not in self._scores:
            self._scores[key] = score(values.value, _kinds(values), framework)
        return self._scores[key]

    def kept(self, scores: Scores) -> Floats:
        """Return minus the points lost, units × indicators of both frameworks, 0 where one does not apply."""
        points = scores.points.reindex(index=self.codes, columns=self.columns)
        return -points.fillna(0.0).to_numpy(dtype=np.float64)

    def shares(self) -> dict[Cause, Floats]:
        """Return the mean step of each cause over all orders, units × indicators."""
        once: dict[int, Floats] = {}
        kept: dict[tuple[int, ...], Floats] = {}
        for state in itertools.product((0, 1, 2), (0, 1), (0, 1), (0, 1)):
            scores = self.scores(*state)
            kept[state] = once[id(scores)] if id(scores) in once else self.kept(scores)
            once[id(scores)] = kept[state]
        shares = {cause: np.zeros((len(self.codes), len(self.columns))) for cause in PARTS}
        orders = [list(itertools.chain.from_iterable(order)) for order in itertools.permutations(_TURNS)]
        steps: Counter[tuple[Cause, tuple[int, ...]]] = Counter()
        for order in orders:
            at: tuple[int, ...] = (0, 0, 0, 0)
            for cause in order:
                steps[cause, at] += 1
                at = _switched(at, cause)
        for (cause, at), times in steps.items():
            shares[cause] += (kept[_switched(at, cause)] - kept[at]) * (times / len(orders))
        return shares


def _switched(state: tuple[int, ...], cause: Cause) -> tuple[int, ...]:
    """Return a state with one cause more switched on."""
    data, reference, weights, method = state
    return (
        data + (cause in (Cause.REVISED, Cause.NEW)),
        reference + (cause is Cause.REFERENCE),
        weights + (cause is Cause.WEIGHTS),
        method + (cause is Cause.METHOD),
    )


def _kinds(values: IndicatorValues) -> pd.Series[str]:
    return values.units["unit_kind"].astype("str")


def _rules_of(parameters: ParameterSet, date: dt.date) -> ParameterSet:
    """Return parameters whose rules are those of one date, in force on every date."""
    in_force = {
        r.id: r.model_copy(update={"effective_from": dt.date.min, "effective_to": None})
        for r in parameters.rules
        if r.effective_from <= date and (r.effective_to is None or date <= r.effective_to)
    }
    return parameters.model_copy(update={"rules": tuple(in_force.values())})


def _revised(earlier: Tables, latest: Tables) -> Prepared:
    return prepare(revised_tables(earlier, latest))


def _asked(parameters: ParameterSet, indicator: Indicator) -> tuple[Any, ...]:
    """Return everything that the values of an indicator depend on besides the tables."""
    measure = indicator.measure
    options = parameters.options(measure.options, dt.date.max) if isinstance(measure, DerivedMeasure) else {}
    plain = measure.model_dump(exclude={"options"}) | options
    named = {value for value in plain.values() if isinstance(value, str)}
    metrics = {name: metric for name, metric in parameters.framework.metrics.items() if name in named}
    return measure, indicator.applies_to, options, metrics


def _mixed(structure: Framework, reference: Framework, shares: Framework) -> Framework:
    """Return a framework with reference points and weights of others, as far as they have its indicators."""
    points = {i.id: i for i in reference.indicators}
    known = {d.id: d for d in shares.dimensions}

    def indicator(own: Indicator, weight: float) -> Indicator:
        other = points.get(own.id)
        same = other is not None and other.measure == own.measure
        scale = other.reference_points if other is not None and same else own.reference_points
        return own.model_copy(update={"reference_points": scale, "weight": weight})

    def dimension(own: Dimension, weight: float) -> Dimension:
        theirs = known[own.id].indicators if own.id in known else ()
        within = _shared([i.weight for i in own.indicators], [i.id for i in own.indicators], theirs)
        members = tuple(indicator(i, w) for i, w in zip(own.indicators, within, strict=True))
        return own.model_copy(update={"indicators": members, "weight": weight})

    across = _shared(
        [d.weight for d in structure.dimensions], [d.id for d in structure.dimensions], shares.dimensions
    )
    parts = tuple(dimension(d, w) for d, w in zip(structure.dimensions, across, strict=True))
    return structure.model_copy(update={"dimensions": parts})


def _shared(
    own: Sequence[float], ids: Sequence[str], theirs: Sequence[Dimension] | Sequence[Indicator]
) -> list[float]:
    """Return their weights; those they lack keep their own, and the others share the rest in proportion."""
    known = {other.id: other.weight for other in theirs}
    if set(known) == set(ids):
        return [known[name] for name in ids]
    rest = 1.0 - sum(w for w, name in zip(own, ids, strict=True) if name not in known)
    total = sum(known[name] for name in ids if name in known)
    if total == 0.0:
        return list(own)
    return [known[name] * rest / total if name in known else w for w, name in zip(own, ids, strict=True)]
