"""What is on record of people of the synthetic city: evidence, quasi-post ratings, vetting, cultivation.

Some of it is planted, with its truth: adverse, expired and missing opinions, raters who are far too harsh,
and people whom online raters praise far beyond what the panel saw.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from huanjie_lib.access.keys import KeyRing
from huanjie_lib.parameters import EvidenceRule, StepRule
from huanjie_lib.sample.calendar import Calendar
from huanjie_lib.sample.faults import TRUTH_COLUMNS
from huanjie_lib.sample.frames import NO_DAY, conform, text_of
from huanjie_lib.sample.names import Places
from huanjie_lib.sample.people import RATED, Roster
from huanjie_lib.sample.streams import Array, Integers, Mask, Texts, steady
from huanjie_lib.vocabulary import EvidenceKind, PersonStatus, ReviewOpinion, VettingGround

__all__ = ["Planted", "make_assessments", "make_evidence", "make_plans", "make_vettings"]

Columns: TypeAlias = dict[str, list[npt.NDArray[Any]]]

_IN_TRAINING: Final = (PersonStatus.CULTIVATING, PersonStatus.TRIAL)
_SHORT_LIVED: Final = ("法院", "公安局")
_GROUNDS: Final[Mapping[VettingGround, tuple[float, str]]] = {
    # share of adverse opinions, department that gives them
    VettingGround.DISCIPLINE: (0.34, "纪委监委"),
    VettingGround.DISHONEST: (0.22, "法院"),
    VettingGround.CRIMINAL: (0.15, "法院"),
    VettingGround.ILLEGAL_BUILDING: (0.10, "司法局"),
    VettingGround.BRIBERY: (0.06, "公安局"),
    VettingGround.GANG: (0.03, "公安局"),
    VettingGround.BULLY: (0.02, "公安局"),
    VettingGround.CULT: (0.01, "政法委"),
    VettingGround.OTHER: (0.07, "社会工作部"),
}
_STILL_GOING_ON: Final = (VettingGround.DISHONEST, VettingGround.ILLEGAL_BUILDING)
_GROUPS: Final = 270  # of the full city
_DAY_OF_APPRAISAL, _DAY_OF_REVIEW = 343, 308  # of the year: from 10 December and 5 November on
_NOISE: Final[Mapping[EvidenceKind, float]] = {
    EvidenceKind.APPRAISAL: 5.0,
    EvidenceKind.REVIEW: 6.0,
    EvidenceKind.RECORD: 8.0,
    EvidenceKind.TRAINING: 7.0,
}


@dataclass
class Planted:
    """What is planted among people, with its truth; nothing is when ``idle``.

    Planting draws from a stream of its own, so that everything else is the same without it.
    """

    places: Places
    roster: Roster
    rng: np.random.Generator
    idle: bool = False
    rows: list[tuple[str, str, str, str]] = field(default_factory=list)

    def note(self, fault: str, person: int, table: str, **detail: str) -> None:
        """Write down one fault about a person."""
        unit = int(self.roster.unit[person])
        code = self.places.unit_code[unit] if unit >= 0 else ""
        detail["person_ref"] = str(self.roster.ref[person])
        self.rows.append((fault, code, table, json.dumps(detail, ensure_ascii=False, sort_keys=True)))

    def pick(self, groups: int, wanted: int) -> list[int]:
        """Return about ``wanted`` of the groups of a full city, fewer in a smaller one, at least one."""
        if self.idle or not groups:
            return []
        number = min(max(1, round(wanted * groups / _GROUPS)), groups)
        return sorted(self.rng.choice(groups, number, replace=False).tolist())

    def truth(self) -> pd.DataFrame:
        """Return what was planted, sorted."""
        frame = pd.DataFrame(self.rows, columns=list(TRUTH_COLUMNS), dtype="str")
        return frame.sort_values(list(TRUTH_COLUMNS), kind="stable", ignore_index=True)


# --- evidence --------------------------------------------------------------------------------------------


def make_evidence(
    calendar: Calendar,
    roster: Roster,
    rules: Sequence[EvidenceRule],
    places: Places,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Draw evidence of the years that count; nobody has all of it, and some have next to none.

    Parameters
    ----------
    calendar
        Dates.
    roster
        The people.
    rules
        Which kind of evidence there may be of which aspect.
    places
        Names of the townships, whose offices rate more or less mildly and hold reviews on their own days.
    rng
        Random stream.
    """
    towns, people = len(places.township_code), len(roster)
    horizon = 1 + max(rule.horizon_years for rule in rules)
    mild = rng.normal(0.0, 2.5, (towns, horizon))
    days_of = rng.integers(0, 15, towns)
    zeal = steady(np.clip(0.4 + 0.3 * roster.has(*_IN_TRAINING) + rng.normal(0, 0.22, people), 0.03, 0.97))
    appraised = rng.random((horizon, people)) < np.clip(zeal, 0.0, 0.9)
    parts: Columns = {name: [] for name in ("person", "aspect", "kind", "year", "rating", "dated_on")}
    for rule in rules:
        aspect = RATED.index(rule.aspect)
        first = 1 if rule.due == "after" else 0
        for back in range(first, first + rule.horizon_years):
            year = calendar.as_of.year - back
            there = rng.random(people) < _chance(rule.kind, zeal)
            if rule.kind is EvidenceKind.APPRAISAL:
                there &= appraised[back]
            day = _evidence_days(rule.kind, year, days_of[roster.township], rng)
            there &= (day <= calendar.today) & (day > roster.known_from - 500)
            who = np.flatnonzero(there)
            seen = roster.ability[who, aspect] - 0.8 * back + mild[roster.township[who], back]
            rating = np.round(steady(seen + rng.normal(0.0, _NOISE[rule.kind], len(who))))
            parts["person"].append(who)
            parts["aspect"].append(np.full(len(who), rule.aspect.value))
            parts["kind"].append(np.full(len(who), rule.kind.value))
            parts["year"].append(np.full(len(who), year))
            parts["rating"].append(np.clip(rating, 20.0, 100.0))
            parts["dated_on"].append(day[who])
    columns = {name: np.concatenate(values) for name, values in parts.items()}
    person = columns.pop("person")
    labels = EvidenceKind.labels()
    made = conform(
        "evidence",
        {
            **columns,
            "evidence_id": np.full(len(person), "E"),
            "person_ref": text_of(roster.ref, person),
            "document": [
                f"{places.county_name[county]}{labels[kind]}〔{year}〕"
                for county, year, kind in zip(
                    places.county_of[roster.township[person]].tolist(),
                    columns["year"].tolist(),
                    columns["kind"].tolist(),
                    strict=True,
                )
            ],
        },
    )
    return _numbered(made, "evidence_id", "E")


def _chance(kind: EvidenceKind, zeal: Array) -> Array:
    """Return the chance of one item by person; an appraisal, where there is one, rates most aspects."""
    if kind is EvidenceKind.APPRAISAL:
        return np.full_like(zeal, 0.75)
    return steady(
        {EvidenceKind.REVIEW: 1.0, EvidenceKind.RECORD: 0.45, EvidenceKind.TRAINING: 0.4}[kind] * zeal
    )


def _evidence_days(kind: EvidenceKind, year: int, offset: Integers, rng: np.random.Generator) -> Integers:
    """Return one day by person: rounds of appraisal and review by township, courses on four days a year."""
    first = int(np.datetime64(f"{year}-01-01", "D").astype(np.int64))
    if kind is EvidenceKind.APPRAISAL:
        return first + _DAY_OF_APPRAISAL + offset
    if kind is EvidenceKind.REVIEW:
        return first + _DAY_OF_REVIEW + offset
    if kind is EvidenceKind.TRAINING:
        return first + np.array([75, 160, 250, 330])[rng.integers(0, 4, len(offset))]
    return first + 27 + 30 * rng.integers(0, 12, len(offset))


# --- quasi-post assessment -------------------------------------------------------------------------------


def make_assessments(
    roster: Roster,
    places: Places,
    calendar: Calendar,
    keys: KeyRing,
    planted: Planted,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Draw ratings of everyone in a quasi-post: groups by township, online raters and an offline panel.

    Panels of one county share two members, so that its groups can be compared; in every third county they
    don't. Some raters are kin of the person they rate and think better of them; some households rate
    together.
    """
    parts: Columns = {
        name: []
        for name in ("person", "group", "rater", "household", "is_kin", "online", "rating", "rated_on")
    }
    groups = _groups(roster, places)
    harsh = planted.pick(len(groups), 12)
    swayed = planted.pick(len(groups), 3)
    for number, (town, members) in enumerate(groups):
        county = int(places.county_of[town])
        day = calendar.today - 20 - int(rng.integers(0, 120))
        for online in (True, False):
            raters = _raters(number, county, online=online, rng=rng)
            severity = rng.normal(0.0, 5.0, len(raters))
            if not online and number in harsh:
                severity[-1] = -24.0
                planted.note(
                    "rater_harsh", members[0], "assessments", rater_ref=keys.pseudonym("rater", raters[-1])
                )
            share = rng.uniform(0.6, 0.95) if online else 0.96
            rater, person = np.nonzero(rng.random((len(raters), len(members))) < share)
            kin = (rng.random(len(rater)) < 0.015) & online
            seen = roster.trial[members][person] + severity[rater] + np.where(kin, 14.0, 0.0)
            if online and number in swayed:
                seen = seen + np.where(person == 0, 26.0, 0.0)
                planted.note(
                    "trial_divergence", members[0], "assessments", group_ref=_group_ref(places, number, town)
                )
            rating = np.clip(np.round(steady(seen + rng.normal(0.0, 8.0, len(rater)))), 0.0, 100.0)
            house = _households(len(raters), number, keys, rng) if online else np.full(len(raters), "")
            parts["person"].append(members[person])
            parts["group"].append(np.full(len(rater), _group_ref(places, number, town)))
            parts["rater"].append(np.array([keys.pseudonym("rater", r) for r in raters])[rater])
            parts["household"].append(house[rater])
            parts["is_kin"].append(kin)
            parts["online"].append(np.full(len(rater), online))
            parts["rating"].append(rating)
            parts["rated_on"].append(np.full(len(rater), day if online else day + 6))
    columns = {name: np.concatenate(values) for name, values in parts.items()}
    order = np.lexsort((columns["rater"], columns["person"], columns["group"]))
    columns = {name: values[order] for name, values in columns.items()}
    household = pd.Series(columns["household"], dtype="str")
    return conform(
        "assessments",
        {
            "assessment_id": _serials("A", len(order)),
            "person_ref": text_of(roster.ref, columns["person"]),
            "group_ref": columns["group"],
            "rater_ref": columns["rater"],
            "household_ref": household.mask(household == ""),
            "is_kin": columns["is_kin"],
            "online": columns["online"],
            "rating": columns["rating"],
            "rated_on": columns["rated_on"],
        },
    )


def _groups(roster: Roster, places: Places) -> list[tuple[int, Integers]]:
    """Return township and people of each group, at most ten people a group."""
    on_trial = np.flatnonzero(roster.has(PersonStatus.TRIAL))
    found = []
    for town in range(len(places.township_code)):
        here = on_trial[roster.township[on_trial] == town]
        if len(here):
            found += [(town, part) for part in np.array_split(here, -(-len(here) // 10))]
    return found


def _group_ref(places: Places, number: int, town: int) -> str:
    return f"G{places.township_code[town]}-{number:03d}"


def _raters(number: int, county: int, *, online: bool, rng: np.random.Generator) -> list[str]:
    """Return names that pseudonyms are made from: villagers online, a panel offline."""
    if online:
        return [f"online {number} {n}" for n in range(int(rng.integers(6, 11)))]
    own = [f"panel {number} {n}" for n in range(int(rng.integers(3, 5)))]
    return own if county % 3 == 2 else [f"county {county} {n}" for n in range(2)] + own


def _households(count: int, number: int, keys: KeyRing, rng: np.random.Generator) -> Texts:
    """Return a household by online rater: mostly their own, some shared, some not stated."""
    shared = rng.random(count) < 0.25
    stated = rng.random(count) >= 0.08
    return np.array(
        [
            keys.pseudonym("household", f"{number} {0 if together else n + 1}") if known else ""
            for n, (together, known) in enumerate(zip(shared.tolist(), stated.tolist(), strict=True))
        ]
    )


# --- vetting ---------------------------------------------------------------------------------------------


@dataclass
class _Opinions:
    """Opinions of every department on everyone vetted, person by person; ``kept`` says which were given."""

    vetted: Integers
    departments: Sequence[str]
    given: Integers
    validity: Integers
    opinion: npt.NDArray[np.object_]
    ground: npt.NDArray[np.object_]
    ended: Integers
    expires: Integers
    kept: Mask

    def place(self, who: int, department: int) -> int:
        """Return the position of the opinion of a department on the ``who``-th person vetted."""
        return who * len(self.departments) + department


def make_vettings(
    calendar: Calendar,
    roster: Roster,
    departments: Sequence[str],
    places: Places,
    planted: Planted,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Draw the opinions of every department, in one round a township.

    Nearly everyone who is cultivated, on trial or in office has been vetted, of the others four in five.
    Opinions of courts and police hold four months, all others six.
    """
    towns, asked = len(places.township_code), len(departments)
    round_on = calendar.today - np.where(
        rng.random(towns) < 0.06, rng.integers(125, 160, towns), rng.integers(15, 100, towns)
    )
    delay = rng.integers(0, 14, (towns, asked))
    forward = roster.has(*_IN_TRAINING, PersonStatus.APPOINTED)
    vetted = np.flatnonzero(rng.random(len(roster)) < np.where(forward, 0.97, 0.80))
    person, column = np.repeat(vetted, asked), np.tile(np.arange(asked), len(vetted))
    town = roster.township[person]
    given = round_on[town] + delay[town, column]
    validity = np.where(np.isin(np.array(departments)[column], _SHORT_LIVED), 120, 180)
    made = _Opinions(
        vetted=vetted,
        departments=departments,
        given=given,
        validity=validity,
        opinion=np.full(len(person), ReviewOpinion.FAVOURABLE.value, dtype=object),
        ground=np.full(len(person), None, dtype=object),
        ended=np.full(len(person), NO_DAY),
        expires=given + validity,
        kept=np.ones(len(person), dtype=np.bool_),
    )
    replaced = [] if planted.idle else _plant_opinions(made, calendar, planted)
    rows = np.concatenate([np.flatnonzero(made.kept), np.array(replaced, dtype=np.int64)])
    former = np.arange(len(rows)) >= made.kept.sum()
    documents = np.array(
        [[f"{name}{d}〔{calendar.as_of.year}〕联审" for d in departments] for name in places.county_name]
    )
    return conform(
        "vettings",
        {
            "person_ref": text_of(roster.ref, person[rows]),
            "department": text_of(departments, column[rows]),
            "opinion": np.where(former, ReviewOpinion.ADVERSE.value, made.opinion[rows]),
            "ground": pd.Series(np.where(former, VettingGround.OTHER.value, made.ground[rows]), dtype="str"),
            "ended_on": np.where(former, made.given[rows] - 250, made.ended[rows]),
            "given_on": np.where(former, made.given[rows] - 240, made.given[rows]),
            "expires_on": np.where(former, made.given[rows] - 60, made.expires[rows]),
            "document": documents[places.county_of[town[rows]], column[rows]],
        },
    )


def _plant_opinions(made: _Opinions, calendar: Calendar, planted: Planted) -> list[int]:
    """Plant adverse, expired and missing opinions.

    Returns the positions of favourable opinions that an adverse one came before.
    """
    rng, asked = planted.rng, len(made.departments)

    def note(fault: str, place: int, **detail: str) -> None:
        person = int(made.vetted[place // asked])
        planted.note(fault, person, "vettings", department=made.departments[place % asked], **detail)

    shares = np.array([share for share, _ in _GROUNDS.values()])
    wanted = max(len(_GROUNDS), round(0.025 * len(made.vetted)))
    others = max(2, len(made.vetted) // 150)
    chosen = rng.choice(len(made.vetted), wanted + 3 * others, replace=False)
    adverse, late, gone, mended = np.split(chosen, wanted + others * np.arange(3))
    drawn = rng.choice(len(_GROUNDS), wanted - len(_GROUNDS), p=shares / shares.sum())
    for who, why in zip(adverse.tolist(), [*range(len(_GROUNDS)), *drawn.tolist()], strict=True):
        ground = list(_GROUNDS)[why]
        department = _GROUNDS[ground][1]
        known = department in made.departments
        place = made.place(who, made.departments.index(department) if known else 0)
        made.opinion[place], made.ground[place] = ReviewOpinion.ADVERSE.value, ground.value
        if ground not in _STILL_GOING_ON or rng.random() < 0.4:
            made.ended[place] = calendar.today - int(rng.integers(60, 2600))
        note("vetting_adverse", place, ground=ground.value)
    for who in late.tolist():
        place = made.place(who, int(rng.integers(asked)))
        made.expires[place] = calendar.today - int(rng.integers(3, 40))
        made.given[place] = made.expires[place] - made.validity[place]
        note("vetting_expired", place)
    for who in gone.tolist():
        place = made.place(who, int(rng.integers(asked)))
        made.kept[place] = False
        note("vetting_missing", place)
    replaced = [made.place(who, int(rng.integers(asked))) for who in mended.tolist()]
    for place in replaced:
        note("vetting_replaced", place)
    return replaced


# --- cultivation -----------------------------------------------------------------------------------------


def make_plans(
    calendar: Calendar,
    roster: Roster,
    steps: Sequence[StepRule],
    places: Places,
    keys: KeyRing,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Draw cultivation steps: two for most people in training; a few are overdue or have no mentor."""
    training = np.flatnonzero(roster.has(*_IN_TRAINING))
    person = np.repeat(training, rng.integers(0, 3, len(training)) + (rng.random(len(training)) < 0.5))
    size = len(person)
    which = rng.integers(0, len(steps), size)
    aspects = [[a.value for a in step.rise] for step in steps]
    picked = rng.random(size)
    aspect = [
        aspects[s][int(p * len(aspects[s]))] for s, p in zip(which.tolist(), picked.tolist(), strict=True)
    ]
    start = calendar.today - 14 * rng.integers(1, 34, size)
    due = start + np.array([step.days for step in steps])[which]
    took = due + rng.integers(-15, 20, size)
    done = np.where((took <= calendar.today) & (rng.random(size) < 0.86), np.maximum(took, start), NO_DAY)
    result = np.where(done == NO_DAY, np.nan, np.clip(np.round(steady(rng.normal(78, 8, size))), 40, 100))
    mentors = np.array(
        [
            [keys.pseudonym("mentor", f"{town} {n}") for n in range(4)]
            for town in range(len(places.township_code))
        ]
    )
    mentor = pd.Series(mentors[roster.township[person], rng.integers(0, 4, size)], dtype="str")
    plans = conform(
        "plans",
        {
            "plan_id": _serials("T", size),
            "person_ref": text_of(roster.ref, person),
            "step": np.array([step.step.value for step in steps])[which],
            "aspect": aspect,
            "mentor_ref": mentor.mask(rng.random(size) < 0.07),
            "start_on": start,
            "due_on": due,
            "done_on": done,
            "result": result,
        },
    )
    return plans


def _serials(letter: str, count: int) -> list[str]:
    return [f"{letter}{number:07d}" for number in range(1, count + 1)]


def _numbered(frame: pd.DataFrame, column: str, letter: str) -> pd.DataFrame:
    """Return the rows numbered in their order, so that the numbers take no room in a compressed file."""
    return frame.assign(**{column: pd.Series(_serials(letter, len(frame)), dtype="str")})
