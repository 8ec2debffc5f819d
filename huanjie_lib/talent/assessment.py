"""Quasi-post assessment (准岗): online and offline ratings put together, and races (赛马) with bands of ties.

Ratings by close kin are left out. Ratings of one person by one household, over both channels, weigh together
at most ``household_cap`` ratings: each counts ``min(1, cap / number)``; a rater without a household is one
alone. Each channel is then corrected for strict and mild raters and shrunk
(:mod:`huanjie_lib.talent.raters`). With a and b the means of the two posteriors, v_a and v_b their variances,

    fused = q a + (1 − q) b,    sd² = q² v_a + (1 − q)² v_b + 2 q (1 − q) v_a v_b / τ²
    interval = fused ± z sd, cut to 0–100

q is the declared ``online_share``, τ the prior's spread; the last term of sd² is what shrinkage takes from
both channels alike where a person is worth the same in both (the safe case: it is less where not). Where
nobody of a group was rated in one channel the other counts alone. A person who alone was not rated there
stands at the prior with all its doubt: nobody chooses the channel that suits. One more rating in a channel of
the group only narrows, unless its household (or, for one without, its rater) has rated the person before: the
one weight is then shared anew, and part of it may go to somebody whose severity is less known. Channels
diverge where ``|a − b| / √(v_a + v_b)`` exceeds ``divergence_z``: that is flagged, and both
are shown apart.

A group is a set of persons linked by common raters, directly or by way of others; persons of two groups are
never compared. A race is run among the persons of one 考察组 within one group: i is clearly ahead of j where
``fused_i − fused_j > z sd(fused_i − fused_j)``, with the posterior covariance of the two, so that what is
unsure about their common raters cancels. A rank lies between 1 + the number clearly ahead and n − the number
clearly behind. Bands go down the order of results: one opens with its leader and closes before the first who
is clearly behind the leader. Equal results share a band: of such, one who is clearly behind takes all along.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from huanjie_lib.parameters import TalentPack, TrialRule
from huanjie_lib.talent.raters import RaterModel, connected_parts, fit_raters

__all__ = ["CHANNELS", "Trials", "assess_trials", "race"]

Floats: TypeAlias = npt.NDArray[np.float64]
Ints: TypeAlias = npt.NDArray[np.int64]

CHANNELS = {"online": "线上评分", "offline": "线下考核"}
"""Channels of assessment and what they are called."""

PEOPLE = {
    "person_ref": "str",
    "group": "int64",
    "online": "float64",
    "offline": "float64",
    "fused": "float64",
    "sd": "float64",
    "low": "float64",
    "high": "float64",
    "ratings": "int64",
    "raters": "int64",
    "dropped_kin": "int64",
    "divergence": "bool",
    "divergence_z": "float64",
    "trend": "float64",
    "trend_sd": "float64",
}
RATERS = {
    "rater_ref": "str",
    "channel": "str",
    "severity": "float64",
    "sd": "float64",
    "ratings": "int64",
}
RACES = {
    "group": "int64",
    "group_ref": "str",
    "person_ref": "str",
    "fused": "float64",
    "band": "int64",
    "rank_low": "int64",
    "rank_high": "int64",
    "size": "int64",
}
LEFT_OUT = {"person_ref": "str", "reason": "str", "ratings": "int64"}

_KIN, _LATER = "近亲属评分", "评分日期在本次日期之后"
_DAYS_OF_YEAR = 365.25


@dataclass(frozen=True)
class Trials:
    """Results of quasi-post assessment.

    Parameters
    ----------
    people
        A row a person with a counted rating, by ``person_ref``: ``group`` (persons of one number are
        comparable), ``online`` and ``offline`` (corrected and shrunk, points; missing where not rated there),
        ``fused`` with ``sd``, ``low`` and ``high``, numbers of ``ratings`` and ``raters`` that count and of
        ratings by kin that do not (``dropped_kin``), ``divergence`` and ``divergence_z`` (online less
        offline, in standard deviations; missing where one channel is), ``trend`` (points a year of the
        corrected ratings) with ``trend_sd``, missing where a channel's ratings were all given on one day.
    raters
        A row a rater and channel: ``severity`` (points below what others would give: positive is strict), its
        ``sd``, and number of ``ratings``.
    races
        A row a person and 考察组 (``group_ref``) within a group: ``band``, ``rank_low`` (best) and
        ``rank_high`` (worst) among ``size`` comparable persons.
    left_out
        Ratings not counted, by person and reason.
    rule
        Declared spreads, shares and limits.
    as_of
        Last day of ratings that count.
    version
        Version of the parameters.
    """

    people: pd.DataFrame
    raters: pd.DataFrame
    races: pd.DataFrame
    left_out: pd.DataFrame
    rule: TrialRule
    as_of: dt.date
    version: str = ""

    def __repr__(self) -> str:
        """Return numbers of persons, groups and divergences, the date and the parameter version."""
        groups, diverging = self.people["group"].nunique(), int(self.people["divergence"].sum())
        return (
            f"Trials(people={len(self.people)}, groups={groups}, diverging={diverging}, "
            f"as_of={self.as_of}, parameters={self.version!r})"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the results by person."""
        return self.people.copy()

    def explain(self, person_ref: str, *, name: str | None = None) -> str:
        """Return in Chinese how a person's result came about and how sure it is.

        Parameters
        ----------
        person_ref
            The person.
        name
            What to call the person; the pseudonym when omitted.

        Raises
        ------
        KeyError
            If the person has no counted rating.
        """
        row: dict[str, Any] = dict(self.people.set_index("person_ref").loc[person_ref])
        heard = {key: float(row[key]) for key in CHANNELS if not np.isnan(row[key])}
        parts = "、".join(f"{CHANNELS[key]}折合{value:.1f}分" for key, value in heard.items())
        text = f"{name or person_ref}{parts}（已校正评价人宽严）"
        if len(heard) == 2:
            share = self.rule.online_share
            text += f"，按线上{share:.0%}、线下{1 - share:.0%}合成{row['fused']:.1f}分"
        else:
            text += f"，准岗表现{row['fused']:.1f}分"
        text += f"，可信范围{row['low']:.1f}至{row['high']:.1f}分；共{row['raters']}人评价"
        if row["dropped_kin"]:
            text += f"，另有{row['dropped_kin']}份近亲属评分未计入"
        if not np.isnan(row["trend"]) and abs(row["trend"]) > self.rule.interval_z * row["trend_sd"]:
            text += f"；评分{'上升' if row['trend'] > 0 else '下降'}，每年约{abs(row['trend']):.1f}分"
        for run in self.races[self.races["person_ref"] == person_ref].to_dict("records"):
            best, worst = run["rank_low"], run["rank_high"]
            place = f"第{best}位" if best == worst else f"第{best}至{worst}位"
            text += f"；在考察组{run['group_ref']}可比的{run['size']}人中列{place}，属第{run['band']}档"
        text += "。"
        if row["divergence"]:
            higher, lower = ("线上", "线下") if row["divergence_z"] > 0 else ("线下", "线上")
            text += f"{higher}明显高于{lower}，请先查明原因再使用合成分。"
        return text


def assess_trials(assessments: pd.DataFrame, pack: TalentPack, *, as_of: dt.date) -> Trials:
    """Return the results of quasi-post assessment from the single ratings.

    Parameters
    ----------
    assessments
        Contract table ``assessments``; rows in any order.
    pack
        Talent pack; its ``trial`` rule is used.
    as_of
        Ratings after this day are left out.

    Returns
    -------
    Trials
        Persons and raters in the order of their references. Ratings by kin change nothing but the count of
        those left out.

    Notes
    -----
    A race costs the square of the number of persons in its 考察组.

    Examples
    --------
    R1 is strict, R2 mild. P2 was rated by R2 alone, and in truth ties with P1:

    >>> from huanjie_lib.parameters import load_parameters
    >>> given = [("P1", "R1", 70), ("P1", "R2", 85), ("P2", "R2", 86), ("P3", "R1", 30), ("P3", "R2", 44)]
    >>> table = pd.DataFrame(given, columns=["person_ref", "rater_ref", "rating"]).assign(
    ...     group_ref="G1", household_ref=None, is_kin=False, online=False, rated_on=pd.Timestamp(2026, 9, 1))
    >>> trials = assess_trials(table, load_parameters().talent, as_of=dt.date(2026, 10, 31))
    >>> trials
    Trials(people=3, groups=1, diverging=0, as_of=2026-10-31, parameters='2026.1')
    >>> trials.races[["person_ref", "band", "rank_low", "rank_high"]].values.tolist()
    [['P2', 1, 1, 2], ['P1', 1, 1, 2], ['P3', 2, 3, 3]]
    >>> trials.explain("P3")
    'P3线下考核折合44.3分（已校正评价人宽严），准岗表现44.3分，可信范围33.3至55.4分；共2人评价；在考察组G1可比的3人中列第3位，属第2档。'
    >>> trials.explain("P9")
    Traceback (most recent call last):
    ...
    KeyError: 'P9'
    """
    rule = pack.trial
    later = assessments["rated_on"] > pd.Timestamp(as_of)
    kin = assessments["is_kin"].astype("bool") & ~later
    left_out = pd.concat(
        [
            assessments.loc[chosen, ["person_ref"]].assign(reason=reason)
            for chosen, reason in ((kin, _KIN), (later, _LATER))
        ]
    )
    left_out = left_out.groupby(["person_ref", "reason"], as_index=False).size()
    left_out = _typed(left_out.rename(columns={"size": "ratings"}), LEFT_OUT)
    kept = assessments[~later & ~kin]
    kept = kept.sort_values(["person_ref", "rater_ref", "online", "rated_on", "rating", "group_ref"])
    if kept.empty:
        nobody = (pd.DataFrame(columns=list(columns)) for columns in (PEOPLE, RATERS, RACES))
        people, raters, races = map(_typed, nobody, (PEOPLE, RATERS, RACES))
        return Trials(people, raters, races, left_out, rule, as_of, pack.version)

    names, person = np.unique(kept["person_ref"].to_numpy(dtype=object), return_inverse=True)
    judges, judge = np.unique(kept["rater_ref"].to_numpy(dtype=object), return_inverse=True)
    is_online, rating = kept["online"].to_numpy(dtype=bool), kept["rating"].to_numpy(dtype=np.float64)
    # a rater's scale online and offline are two
    group, _ = connected_parts(person, 2 * judge + is_online, len(names), 2 * len(judges))
    weight = _weights(kept, rule)
    online, offline = (
        _Channel.fit(key, (is_online == (key == "online")), person, judge, rating, weight, len(names), rule)
        for key in CHANNELS
    )
    share = _shares(online.heard, offline.heard, group, rule)
    fused = share * online.mean + (1.0 - share) * offline.mean
    common = 2.0 * share * (1.0 - share) * online.variance * offline.variance / rule.prior_sd**2
    sd = np.sqrt(share**2 * online.variance + (1.0 - share) ** 2 * offline.variance + common)
    both = online.heard & offline.heard
    z = np.where(both, (online.mean - offline.mean) / np.sqrt(online.variance + offline.variance), np.nan)
    corrected = rating + np.where(is_online, online.severity_of(judge), offline.severity_of(judge))
    trend, trend_sd = _trends(2 * person + is_online, corrected, kept["rated_on"], weight, rule)
    kin_of = left_out[left_out["reason"] == _KIN].set_index("person_ref")["ratings"]
    people = pd.DataFrame(
        {
            "person_ref": names,
            "group": group + 1,
            "online": np.where(online.heard, online.mean, np.nan),
            "offline": np.where(offline.heard, offline.mean, np.nan),
            "fused": np.clip(fused, 0.0, 100.0),
            "sd": sd,
            "low": np.clip(fused - rule.interval_z * sd, 0.0, 100.0),
            "high": np.clip(fused + rule.interval_z * sd, 0.0, 100.0),
            "ratings": np.bincount(person),
            "raters": np.bincount(np.unique(np.stack([person, judge]), axis=1)[0]),
            "dropped_kin": kin_of.reindex(names, fill_value=0).to_numpy(),
            "divergence": both & (np.abs(z) > rule.divergence_z),
            "divergence_z": z,
            "trend": trend,
            "trend_sd": trend_sd,
        }
    )
    raters = pd.concat([channel.raters(judges) for channel in (online, offline)])
    raters = raters.sort_values(["rater_ref", "channel"], ignore_index=True)
    entered = kept[["group_ref"]].assign(group=group[person], person=person).drop_duplicates()
    races = _races(entered, names, fused, share, common, (online, offline), rule)
    return Trials(_typed(people, PEOPLE), _typed(raters, RATERS), races, left_out, rule, as_of, pack.version)


def _typed(frame: pd.DataFrame, columns: dict[str, str]) -> pd.DataFrame:
    return frame[list(columns)].astype(columns).reset_index(drop=True)


def _weights(kept: pd.DataFrame, rule: TrialRule) -> Floats:
    """Return what each rating counts, so that no household counts more than its cap for one person."""
    alone = "rater " + kept["rater_ref"]  # no reference holds a blank
    household = kept["household_ref"].where(kept["household_ref"].notna(), alone)
    number = kept.groupby([kept["person_ref"], household], sort=False)["rating"].transform("size")
    return np.minimum(1.0, rule.household_cap / number.to_numpy(dtype=np.float64))


@dataclass(frozen=True)
class _Channel:
    """One channel's posterior over all persons; those it did not hear stand at the prior."""

    key: str
    heard: npt.NDArray[np.bool_]
    mean: Floats
    variance: Floats
    model: RaterModel | None
    place: Ints
    judges: Ints
    counts: Ints

    @classmethod
    def fit(
        cls,
        key: str,
        rows: npt.NDArray[np.bool_],
        person: Ints,
        judge: Ints,
        rating: Floats,
        weight: Floats,
        people: int,
        rule: TrialRule,
    ) -> _Channel:
        """Fit the ratings of a channel."""
        heard, own = np.unique(person[rows], return_inverse=True)
        judges, given = np.unique(judge[rows], return_inverse=True)
        place = np.full(people, -1)
        place[heard] = np.arange(len(heard))
        mean, variance = np.full(people, rule.prior_mean), np.full(people, rule.prior_sd**2)
        model = None
        if len(heard):
            model = fit_raters(
                own,
                given,
                rating[rows],
                weight=weight[rows],
                prior_mean=rule.prior_mean,
                prior_sd=rule.prior_sd,
                rating_sd=rule.rating_sd,
                severity_sd=rule.severity_sd,
            )
            mean[heard], variance[heard] = model.mean, model.sd**2
        counts = np.bincount(given, minlength=len(judges))
        return cls(key, place >= 0, mean, variance, model, place, judges, counts)

    def covariance(self, rows: Ints) -> Floats:
        """Return the covariance of some persons."""
        out = np.diag(self.variance[rows])
        at = np.flatnonzero(self.heard[rows])
        if self.model is not None and len(at):
            out[np.ix_(at, at)] = self.model.covariance(self.place[rows[at]])
        return out

    def severity_of(self, judge: Ints) -> Floats:
        """Return the severity of each judge, 0 where the channel did not hear them."""
        severity = np.zeros(int(judge.max()) + 1)
        if self.model is not None:
            severity[self.judges] = self.model.severity
        return severity[judge]

    def raters(self, names: npt.NDArray[Any]) -> pd.DataFrame:
        """Return the raters of the channel."""
        model = self.model
        return pd.DataFrame(
            {
                "rater_ref": names[self.judges],
                "channel": self.key,
                "severity": [] if model is None else model.severity,
                "sd": [] if model is None else model.severity_sd,
                "ratings": self.counts,
            }
        )


def _shares(
    online: npt.NDArray[np.bool_], offline: npt.NDArray[np.bool_], group: Ints, rule: TrialRule
) -> Floats:
    """Return the online part of each person's result; all or nothing where the group has one channel."""
    used_online = np.bincount(group, online) > 0
    used_offline = np.bincount(group, offline) > 0
    share = np.where(used_online, np.where(used_offline, rule.online_share, 1.0), 0.0)
    return np.asarray(share[group])


def _trends(
    line: Ints, corrected: Floats, rated_on: pd.Series[Any], weight: Floats, rule: TrialRule
) -> tuple[Floats, Floats]:
    """Return each person's slope in points a year and its standard deviation, within channels.

    ``line`` is twice the person's number, plus 1 online: the weighted least-squares slope that both channels
    of a person share, each around its own mean.
    """
    years = (rated_on - rated_on.min()).dt.days.to_numpy(dtype=np.float64) / _DAYS_OF_YEAR
    lines = 2 * (int(line.max()) // 2 + 1)
    total = np.bincount(line, weight, minlength=lines)
    present = np.where(total > 0.0, total, np.nan)

    def centred(values: Floats) -> Floats:
        return np.asarray(values - (np.bincount(line, weight * values, minlength=lines) / present)[line])

    time, level = centred(years), centred(corrected)
    same_day = pd.Series(years).groupby(line).transform("nunique").to_numpy() == 1
    time[same_day] = 0.0  # exactly, whatever the rounding of the mean
    squares = np.bincount(line // 2, weight * time**2)
    usable = np.where(squares > 0.0, squares, np.nan)
    return np.bincount(line // 2, weight * time * level) / usable, rule.rating_sd / np.sqrt(usable)


def _races(
    entered: pd.DataFrame,
    names: npt.NDArray[Any],
    fused: Floats,
    share: Floats,
    common: Floats,
    channels: tuple[_Channel, _Channel],
    rule: TrialRule,
) -> pd.DataFrame:
    """Return bands and ranks of the persons of each 考察组 within each group."""
    columns: list[tuple[Any, ...]] = []
    for (group, group_ref), rows in entered.groupby(["group", "group_ref"], sort=True)["person"]:
        runners = np.sort(rows.to_numpy(dtype=np.int64))
        runners = runners[np.argsort(-fused[runners], kind="stable")]  # equal results by reference
        q = share[runners[0]]
        covariance = sum(
            (w**2 * channel.covariance(runners) for w, channel in zip((q, 1.0 - q), channels, strict=True)),
            np.diag(common[runners]),
        )
        band, low, high = race(fused[runners], covariance, z=rule.interval_z)
        columns.append((group, group_ref, runners, band, low, high))
    size = [len(c[2]) for c in columns]
    runners, band, low, high = (np.concatenate([c[k] for c in columns]) for k in range(2, 6))
    frame = pd.DataFrame(
        {
            "group": np.repeat([c[0] for c in columns], size) + 1,
            "group_ref": np.repeat(np.array([c[1] for c in columns], dtype=object), size),
            "person_ref": names[runners],
            "fused": np.clip(fused[runners], 0.0, 100.0),
            "band": band,
            "rank_low": low,
            "rank_high": high,
            "size": np.repeat(size, size),
        }
    )
    return _typed(frame, RACES)


def race(results: Floats, covariance: Floats, *, z: float) -> tuple[Ints, Ints, Ints]:
    """Return bands, best and worst ranks of results in falling order.

    Parameters
    ----------
    results
        Results, highest first, points, shape (n,).
    covariance
        Their covariance, shape (n, n).
    z
        Two are told apart beyond this many standard deviations of their difference.

    Raises
    ------
    ValueError
        If results do not fall.

    Examples
    --------
    >>> race(np.array([90.0, 88.0, 70.0]), 4.0 * np.eye(3), z=1.645)
    (array([1, 1, 2]), array([1, 1, 3]), array([2, 2, 3]))

    What all share does not blur a difference:

    >>> race(np.array([90.0, 88.0]), np.full((2, 2), 4.0) + 0.1 * np.eye(2), z=1.645)[0]
    array([1, 2])

    Equal results share a band, though one of them alone is sure enough to be clearly behind:

    >>> race(np.array([90.0, 80.0, 80.0]), np.diag([1.0, 100.0, 1.0]), z=1.645)[0]
    array([1, 2, 2])
    """
    if (np.diff(results) > 0.0).any():
        raise ValueError("results must come highest first")
    n = len(results)
    variance = np.diagonal(covariance)
    spread = np.sqrt(np.maximum(variance[:, None] + variance - 2.0 * covariance, 0.0))
    ahead = results[:, None] - results > z * spread  # row clearly ahead of column
    band, number, leaders = np.empty(n, dtype=np.int64), 0, np.empty(0, dtype=np.int64)
    for equal in np.split(np.arange(n), np.flatnonzero(np.diff(results)) + 1):
        if number == 0 or ahead[np.ix_(leaders, equal)].any():
            number, leaders = number + 1, equal
        band[equal] = number
    return band, 1 + ahead.sum(axis=0), n - ahead.sum(axis=1)
