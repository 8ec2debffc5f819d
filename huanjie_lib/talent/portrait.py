"""Portraits of people from dated evidence: every aspect with an interval, and what would narrow it.

The pack lays down what evidence an aspect expects: one item a year of each kind, for the last years that
count. Each such cell c (kind, calendar year) holds a fixed part of the aspect,

    v_c = share_kind · 2^(−a_c / h_kind) / Σ_{cells of the kind} 2^(−a / h_kind)

a_c being the years since the calendar year ended (0 while it runs), h the half-life. An item in its cell
speaks for

    m = v_c · 2^(−(years from the item to the end of its year, or to the date) / h_kind) ≤ v_c

and everything that no item speaks for is unknown, worth anything from 0 to 100. With ratings x:

    low = Σ m x        mean = Σ m x + missing (1 − Σ m)        high = Σ m x + 100 (1 − Σ m)

As v_c depends on no evidence, more evidence only narrows an interval, hiding an item, good or bad, never
raises its lower end, and a better rating lowers neither end nor the mean. An average of what there is would
break the second law: its lower end rises when bad evidence is hidden. Sums are of whole numbers (parts of
2⁻⁴⁰, ratings to four decimals), so that the laws hold exactly and no order of rows matters.

Without new evidence an interval never narrows as time goes by. Quasi-post results
(:mod:`huanjie_lib.talent.assessment`) come with an interval of their own. Nothing is read of a person but
evidence and quasi-post results.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from huanjie_lib.parameters import EvidenceRule, TalentPack
from huanjie_lib.vocabulary import EvidenceKind, PortraitAspect, share_text

__all__ = ["ASPECTS", "Portraits", "decay", "portraits"]

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

ASPECTS: tuple[PortraitAspect, ...] = tuple(PortraitAspect)
"""Columns of a portrait."""

TRIAL = ASPECTS.index(PortraitAspect.TRIAL)
KINDS: tuple[EvidenceKind, ...] = tuple(EvidenceKind)
DAYS_A_YEAR = 365.25

WHOLE = 1 << 40
"""What an aspect is made of, in whole parts."""
GRAIN = 10_000
"""Steps of a rating in a point."""

LEAST_GAIN = 10.0
"""Points by which an item must narrow an aspect to be asked for."""

NO_DATE, NO_RATING, NO_CELL, NO_RULE = "没有证据日期", "没有评分", "年度不在计入范围", "不看这类证据"


@dataclass(frozen=True)
class Portraits:
    """What evidence says of people, aspect by aspect.

    Parameters
    ----------
    person_ref
        Pseudonyms, sorted, shape (n,).
    aspects
        Aspects, the columns of the next four.
    low, mean, high
        Points from 0 to 100, shape (n, K); read-only.
    known
        Share of each aspect that evidence speaks for, shape (n, K): ``1 − (high − low) / 100``.
    tasks
        person_ref, aspect, kind, year, gain, text: per person and aspect the missing item that would narrow
        the interval most, and by how many points; the largest first.
    unused
        person_ref, aspect, kind, year, reason: evidence known by the date that a portrait cannot use.
    as_of
        Date of the portraits.
    version
        Version of the talent pack.
    """

    person_ref: npt.NDArray[Any]
    aspects: tuple[PortraitAspect, ...]
    low: Floats
    mean: Floats
    high: Floats
    known: Floats
    tasks: pd.DataFrame
    unused: pd.DataFrame
    as_of: dt.date
    version: str

    def __repr__(self) -> str:
        """Return number of people, mean share known, the date and the pack's version."""
        known = f"{self.known.mean():.0%}" if self.known.size else "0%"
        return (
            f"Portraits(people={len(self.person_ref)}, known={known}, as_of={self.as_of}, "
            f"parameters={self.version!r})"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return person_ref, aspect, low, mean, high and known, one row per person and aspect."""
        people, aspects = self.low.shape
        values = {name: getattr(self, name).ravel() for name in ("low", "mean", "high", "known")}
        return pd.DataFrame(
            {
                "person_ref": pd.array(np.repeat(self.person_ref, aspects), dtype="str"),
                "aspect": _words(np.tile(np.arange(aspects), people), self.aspects),
                **values,
            }
        )

    def row(self, person_ref: str) -> int:
        """Return the row of a person.

        Raises
        ------
        KeyError
            If there is no such person.
        """
        at = int(np.searchsorted(self.person_ref, person_ref))
        if at == len(self.person_ref) or self.person_ref[at] != person_ref:
            raise KeyError(person_ref)
        return at

    def explain(self, person_ref: str) -> str:
        """Return in Chinese what is known of a person, strongest aspect first, and what to verify.

        Raises
        ------
        KeyError
            If there is no such person.
        """
        row = self.row(person_ref)
        known = [column for column in range(len(self.aspects)) if self.known[row, column] > 0]
        known.sort(key=lambda column: (-self.mean[row, column], column))
        parts = [
            f"{self.aspects[column].label}{self.mean[row, column]:.1f}分"
            f"（{self.low[row, column]:.1f}至{self.high[row, column]:.1f}分，"
            f"有依据的占{share_text(float(self.known[row, column]))}）"
            for column in known
        ]
        without = [aspect.label for column, aspect in enumerate(self.aspects) if column not in known]
        if without:
            parts.append(f"{'、'.join(without)}没有依据，按0至100分看")
        text = "；".join(parts) + "。"
        mine = self.tasks[self.tasks["person_ref"] == person_ref]
        if len(mine):
            first = mine.iloc[0]
            text += f"先{first['text']}，区间可收窄{first['gain']:.0f}分。"
        return text


@dataclass(frozen=True)
class _Cells:
    """The cells that the pack expects on a date, aspect after aspect, newest year of a kind first."""

    aspect: Ints
    kind: Ints
    year: Ints
    until: npt.NDArray[np.datetime64]
    half_life: Floats
    capacity: Ints


def decay(years: Floats, half_life_years: Floats | float) -> Floats:
    """Return what is left after some years, ``2^(−years / half-life)``.

    Examples
    --------
    >>> decay(np.array([0.0, 3.0, 6.0]), 3.0).tolist()
    [1.0, 0.5, 0.25]
    """
    return np.exp2(-years / half_life_years)


def portraits(
    people: pd.DataFrame,
    evidence: pd.DataFrame,
    trials: pd.DataFrame | None,
    pack: TalentPack,
    *,
    as_of: dt.date,
    least_gain: float | None = LEAST_GAIN,
) -> Portraits:
    """Portray people from the evidence known on a date.

    Parameters
    ----------
    people
        person_ref, one row per person, in any order.
    evidence
        person_ref, aspect, kind, year, rating (0 to 100), dated_on, in any order; items dated later are not
        known yet, items on other people are left aside.
    trials
        person_ref, fused, low, high of quasi-post assessment, points; ``None`` where there was none. A person
        without a result (or with a missing one) is unknown there.
    pack
        What evidence is expected.
    as_of
        The date.
    least_gain
        Points by which a missing item must narrow an aspect to become a task; ``None`` for no tasks.

    Returns
    -------
    Portraits
        What no evidence speaks for lies between 0 and 100, its mean at ``pack.missing``.

    Raises
    ------
    ValueError
        If a person has two rows, two items lie in one cell, a rating lies outside 0 to 100, or an interval of
        a quasi-post result does not hold the result.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> evidence = pd.DataFrame({
    ...     "person_ref": ["P1", "P1"], "aspect": "reputation", "kind": "review", "year": [2025, 2024],
    ...     "rating": [90.0, 80.0], "dated_on": pd.to_datetime(["2026-01-10", "2024-12-31"])})
    >>> found = portraits(
    ...     pd.DataFrame({"person_ref": ["P1"]}), evidence, None, load_parameters().talent,
    ...     as_of=dt.date(2026, 10, 31))
    >>> column = found.aspects.index(PortraitAspect.REPUTATION)
    >>> [round(float(values[0, column]), 2) for values in (found.low, found.mean, found.high, found.known)]
    [86.13, 86.13, 86.13, 1.0]
    >>> alone = portraits(
    ...     pd.DataFrame({"person_ref": ["P1"]}), evidence[:1], None, load_parameters().talent,
    ...     as_of=dt.date(2026, 10, 31))
    >>> [round(float(values[0, column]), 2) for values in (alone.low, alone.mean, alone.high, alone.known)]
    [55.21, 74.54, 93.87, 0.61]
    >>> portraits(
    ...     pd.DataFrame({"person_ref": ["P1"]}), pd.concat([evidence, evidence]), None,
    ...     load_parameters().talent, as_of=dt.date(2026, 10, 31))
    Traceback (most recent call last):
        ...
    ValueError: evidence: more than one item of a person, aspect, kind and year
    """
    index = pd.Index(people["person_ref"].to_numpy(dtype=object), name="person_ref").sort_values()
    if index.has_duplicates:
        raise ValueError("people: a person has more than one row")
    cells = _cells(pack.evidence, as_of)
    person, cell, mass, points, unused = _items(evidence, index, cells, np.datetime64(as_of, "D"))
    shape = (len(index), len(ASPECTS))
    at = person * len(ASPECTS) + cells.aspect[cell]
    masses, sums = (np.zeros(shape[0] * shape[1], dtype=np.int64) for _ in range(2))
    np.add.at(masses, at, mass)
    np.add.at(sums, at, mass * points)
    known, low, mean, high = _intervals(masses.reshape(shape), sums.reshape(shape), pack.missing)
    if trials is not None:
        _put_trials(trials, index, (known, low, mean, high))
    for values in (known, low, mean, high):
        values.flags.writeable = False
    gain = np.inf if least_gain is None else least_gain
    return Portraits(
        person_ref=index.to_numpy(),
        aspects=ASPECTS,
        low=low,
        mean=mean,
        high=high,
        known=known,
        tasks=_tasks(index, person, cell, cells, gain),
        unused=unused,
        as_of=as_of,
        version=f"{pack.id}@{pack.version}",
    )


def _cells(rules: Sequence[EvidenceRule], as_of: dt.date) -> _Cells:
    """Return the cells of all aspects; the capacities of an aspect sum to :data:`WHOLE` exactly."""
    parts: dict[str, list[Any]] = {name: [] for name in _Cells.__dataclass_fields__}
    for number, aspect in enumerate(ASPECTS):
        share: list[float] = []
        for rule in (rule for rule in rules if rule.aspect is aspect):
            newest = as_of.year - (rule.due == "after")
            years = np.arange(newest, newest - rule.horizon_years, -1)
            until = np.array(
                [min(as_of, dt.date(int(year), 12, 31)) for year in years], dtype="datetime64[D]"
            )
            left = decay(_years(np.datetime64(as_of, "D") - until), rule.half_life_years)
            share += (rule.share * left / left.sum()).tolist()
            parts["kind"].append(np.full(len(years), KINDS.index(rule.kind)))
            parts["year"].append(years)
            parts["until"].append(until)
            parts["half_life"].append(np.full(len(years), rule.half_life_years))
        parts["aspect"].append(np.full(len(share), number))
        total = np.cumsum(share) / sum(share)
        parts["capacity"].append(np.diff(np.rint(total * WHOLE).astype(np.int64), prepend=0))
    return _Cells(**{name: np.concatenate(values) for name, values in parts.items()})


def _years(spans: npt.NDArray[Any]) -> Floats:
    return np.asarray(spans / np.timedelta64(1, "D") / DAYS_A_YEAR)


def _items(
    evidence: pd.DataFrame, index: pd.Index[Any], cells: _Cells, day: np.datetime64
) -> tuple[Ints, Ints, Ints, Ints, pd.DataFrame]:
    """Return person, cell, mass and rating of each item that counts, and the evidence that cannot be used."""
    person = _codes(evidence["person_ref"], index)
    aspect = _codes(evidence["aspect"], pd.Index([aspect.value for aspect in ASPECTS]))
    kind = _codes(evidence["kind"], pd.Index([kind.value for kind in KINDS]))
    year, rating = evidence["year"].to_numpy(dtype=np.int64), evidence["rating"].to_numpy(dtype=np.float64)
    dated = evidence["dated_on"].to_numpy(dtype="datetime64[D]")
    if ((rating < 0) | (rating > 100)).any():
        raise ValueError("evidence: a rating lies outside 0 to 100")
    first, count, newest = (np.zeros((len(ASPECTS), len(KINDS)), dtype=np.int64) for _ in range(3))
    np.add.at(count, (cells.aspect, cells.kind), 1)
    for number in reversed(range(len(cells.year))):
        place = cells.aspect[number], cells.kind[number]
        first[place], newest[place] = number, cells.year[number]
    back = newest[aspect, kind] - year
    expected = (aspect >= 0) & (kind >= 0) & (count[aspect, kind] > 0)
    inside = expected & (back >= 0) & (back < count[aspect, kind])
    here = (person >= 0) & ~(dated > day)
    told = np.select(
        [~here, ~expected, ~inside, np.isnat(dated), np.isnan(rating)],
        [0, *(1 + code for code in range(4))],
        -1,
    )
    reasons = [NO_RULE, NO_CELL, NO_DATE, NO_RATING]
    aside = np.flatnonzero(told > 0)
    names = ["person_ref", "aspect", "kind", "year"]
    unused = evidence[names].iloc[aside].assign(reason=_words(told[aside] - 1, reasons))
    used = told < 0
    person, cell = person[used], (first[aspect, kind] + back)[used]
    if len(pd.unique(person * len(cells.year) + cell)) < len(person):
        raise ValueError("evidence: more than one item of a person, aspect, kind and year")
    stale = np.maximum(_years(cells.until[cell] - dated[used]), 0.0)
    mass = np.floor(cells.capacity[cell] * decay(stale, cells.half_life[cell])).astype(np.int64)
    points = np.rint(rating[used] * GRAIN).astype(np.int64)
    return person, cell, mass, points, unused.sort_values(names, ignore_index=True)


def _codes(values: pd.Series[Any], names: pd.Index[Any]) -> Ints:
    """Return the position of each value among the names, −1 where it is none of them."""
    codes, found = pd.factorize(values)
    places = names.get_indexer(pd.Index(found.astype(object)))
    return np.where(codes >= 0, np.append(places, -1)[codes], -1).astype(np.int64)


def _words(codes: npt.NDArray[Any], words: Sequence[str]) -> pd.Categorical[str]:
    return pd.Categorical.from_codes(codes, pd.Index([str(word) for word in words]))


def _intervals(mass: Ints, sums: Ints, missing: float) -> tuple[Floats, Floats, Floats, Floats]:
    """Return share known, lower end, mean and upper end from whole numbers."""
    unknown, unit = WHOLE - mass, float(WHOLE * GRAIN)
    mean = (sums + round(missing * GRAIN) * unknown) / unit
    return mass / float(WHOLE), sums / unit, mean, (sums + 100 * GRAIN * unknown) / unit


def _put_trials(
    trials: pd.DataFrame, index: pd.Index[Any], into: tuple[Floats, Floats, Floats, Floats]
) -> None:
    """Write quasi-post results into their column; an interval beyond the scale ends with it."""
    low, mean, high = (trials[name].to_numpy(dtype=np.float64) for name in ("low", "fused", "high"))
    person = _codes(trials["person_ref"], index)
    given = (person >= 0) & ~np.isnan(mean)
    if not ((low <= mean) & (mean <= high))[given].all():
        raise ValueError("trials: an interval does not hold its result")
    if len(pd.unique(person[given])) < given.sum():
        raise ValueError("trials: a person has more than one result")
    known, *ends = into
    for values, found in zip(ends, (low, mean, high), strict=True):
        values[person[given], TRIAL] = np.clip(found[given], 0.0, 100.0)
    known[:, TRIAL] = 1.0 - (ends[2][:, TRIAL] - ends[0][:, TRIAL]) / 100.0


def _tasks(index: pd.Index[Any], person: Ints, cell: Ints, cells: _Cells, least_gain: float) -> pd.DataFrame:
    """Return per person and aspect the empty cell of the largest capacity, if it reaches the least gain.

    Of equal cells the first of the pack and the newest year comes first.
    """
    gains = 100.0 * cells.capacity / WHOLE
    rows, chosen = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for aspect in range(len(ASPECTS)):
        own = np.flatnonzero(cells.aspect == aspect)
        worth = own[gains[own] >= least_gain]
        if not len(worth):
            continue
        place = np.full(len(cells.year), -1)
        place[worth] = np.arange(len(worth))
        empty = np.ones((len(index), len(worth)), dtype=bool)
        among = place[cell] >= 0
        empty[person[among], place[cell[among]]] = False
        best = np.where(empty, cells.capacity[worth], 0).argmax(axis=1)
        wanting = np.flatnonzero(empty.any(axis=1))
        rows.append(wanting)
        chosen.append(worth[best[wanting]])
    row, which = np.concatenate(rows), np.concatenate(chosen)
    order = np.lexsort((which, -gains[which], row))
    row, which = row[order], which[order]
    labels = [
        f"补充{year}年{ASPECTS[aspect].label}的{KINDS[kind].label}"
        for aspect, kind, year in zip(cells.aspect, cells.kind, cells.year, strict=True)
    ]
    return pd.DataFrame(
        {
            "person_ref": index.to_numpy()[row],
            "aspect": _words(cells.aspect[which], ASPECTS),
            "kind": _words(cells.kind[which], KINDS),
            "year": cells.year[which],
            "gain": gains[which],
            "text": _words(which, labels),
        }
    ).astype({"person_ref": "str"})
