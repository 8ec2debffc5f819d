"""The reserve of the synthetic city: people, their protected attributes, sealed identities and kin.

What a person is good at follows three hidden factors (general ability, dealing with people against technical
work, and being at home with new tools), the background the person comes from and age; sex and ethnicity have
no part in it, though backgrounds differ between the sexes as they do in real registers.

Identity numbers begin with 99, which no real place has, and are sealed under keys that anyone can derive from
the seed of the city.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from huanjie_lib.access.id_numbers import check_character
from huanjie_lib.access.keys import KeyRing
from huanjie_lib.sample.calendar import Calendar
from huanjie_lib.sample.frames import NO_DAY, conform, text_of
from huanjie_lib.sample.latent import Factors
from huanjie_lib.sample.names import Places
from huanjie_lib.sample.streams import Array, Integers, Mask, Texts, steady
from huanjie_lib.vocabulary import (
    Education,
    PersonChannel,
    PersonSource,
    PersonStatus,
    PoliticalAffiliation,
    PortraitAspect,
    Relation,
    Sex,
)

__all__ = [
    "FULL_RESERVE",
    "RATED",
    "Roster",
    "draw_id_numbers",
    "draw_names",
    "make_identities",
    "make_kinships",
    "make_roster",
]

FULL_RESERVE: Final = 20_000
"""People in the reserve of the full city; a smaller city has proportionally fewer."""

RATED: Final = tuple(a for a in PortraitAspect if a is not PortraitAspect.TRIAL)
"""Aspects that evidence speaks to, in the order of the columns of :attr:`Roster.ability`."""

_SOURCES: Final = tuple(PersonSource)
_RURAL: Final = (0.17, 0.14, 0.22, 0.17, 0.08, 0.16, 0.06)  # shares in the order of PersonSource
_URBAN: Final = (0.29, 0.15, 0.08, 0.06, 0.02, 0.20, 0.20)
_WOMEN: Final = 0.36
_LEAN_OF_WOMEN: Final = (1.35, 0.12, 1.0, 0.8, 0.8, 0.9, 1.3)
_AGE: Final = ((28.0, 3.5), (36.0, 7.0), (36.0, 6.5), (44.0, 6.5), (46.0, 7.0), (47.0, 7.0), (40.0, 8.0))
_SURNAMES: Final = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈"
)
_COMPOUND: Final = ("欧阳", "上官", "司马", "诸葛", "皇甫", "尉迟")
_GIVEN: Final = (
    "青云溪石岭松柏竹桐枫荷莲桂榆槐禾田谷川泽渊岚霁晓晨曦星月明朗清和安宁平乐书文思远志诚信仁义礼智新"
)
_SPREAD_OF_BIRTHS: Final = 28  # days of a month that every month has
_OF_AGE: Final = 18  # years
_ROUND: Final = 182  # days from one round of registration to the next

_LOADINGS: Final[Mapping[PortraitAspect, tuple[float, float, float]]] = {
    # general ability, people against technical work, new tools
    PortraitAspect.FINANCE: (4.0, -4.0, 1.0),
    PortraitAspect.LAW: (5.0, -2.0, 2.0),
    PortraitAspect.DIGITAL: (3.0, -2.0, 6.0),
    PortraitAspect.MEDIATION: (4.0, 5.0, -1.0),
    PortraitAspect.INDUSTRY: (5.0, 0.0, 2.0),
    PortraitAspect.ORGANISING: (4.5, 4.5, 0.0),
    PortraitAspect.PROJECT: (5.0, -2.5, 2.0),
    PortraitAspect.EMERGENCY: (4.0, 2.0, 0.0),
    PortraitAspect.ACHIEVEMENT: (7.0, 0.5, 0.5),
    PortraitAspect.REPUTATION: (4.0, 5.0, 0.0),
    PortraitAspect.POTENTIAL: (5.5, 0.0, 3.5),
}
_BACKGROUND: Final[Mapping[PersonSource, Mapping[PortraitAspect, float]]] = {
    PersonSource.GRADUATE: {
        PortraitAspect.DIGITAL: 7,
        PortraitAspect.LAW: 3,
        PortraitAspect.POTENTIAL: 5,
        PortraitAspect.ACHIEVEMENT: -5,
        PortraitAspect.MEDIATION: -4,
    },
    PersonSource.VETERAN: {PortraitAspect.EMERGENCY: 7, PortraitAspect.ORGANISING: 2},
    PersonSource.RETURNEE: {PortraitAspect.DIGITAL: 3, PortraitAspect.INDUSTRY: 4},
    PersonSource.ENTREPRENEUR: {PortraitAspect.INDUSTRY: 8, PortraitAspect.FINANCE: 3},
    PersonSource.COOPERATIVE: {
        PortraitAspect.INDUSTRY: 7,
        PortraitAspect.ORGANISING: 3,
        PortraitAspect.PROJECT: 3,
    },
    PersonSource.INCUMBENT: {
        PortraitAspect.MEDIATION: 5,
        PortraitAspect.ACHIEVEMENT: 5,
        PortraitAspect.ORGANISING: 3,
        PortraitAspect.PROJECT: 4,
        PortraitAspect.DIGITAL: -3,
    },
    PersonSource.OTHER: {},
}
_STATUSES: Final = tuple(PersonStatus)
_STATUS_OF_INCUMBENTS: Final = (0.14, 0.08, 0.05, 0.70, 0.03)  # in the order of PersonStatus
_STATUS_OF_OTHERS: Final = (0.50, 0.31, 0.11, 0.04, 0.04)


@dataclass(frozen=True)
class Roster:
    """The people of the reserve; every array has one entry a person, in the order of the pseudonyms.

    ``unit`` is the position of the home unit, −1 for people from elsewhere; ``township`` is that of the
    township which looks after the person. ``age`` is in whole years at the end of the year, ``known_from``
    the day on which the township came to know of the person. ``ability`` (people × :data:`RATED`) is what
    evidence tells with error; ``trial`` is how the person does in a post. ``id_number`` and ``name`` never
    leave the sample but sealed.
    """

    ref: Texts
    id_number: Texts
    name: Texts
    unit: Integers
    township: Integers
    woman: Mask
    age: Integers
    source: Integers
    status: Integers
    known_from: Integers
    ability: Array
    trial: Array

    def __len__(self) -> int:
        """Return the number of people."""
        return len(self.ref)

    def has(self, *statuses: PersonStatus) -> Mask:
        """Return who is in one of the given states."""
        return np.isin(self.status, [_STATUSES.index(s) for s in statuses])


def make_roster(
    calendar: Calendar,
    places: Places,
    factors: Factors,
    keys: KeyRing,
    count: int,
    rng: np.random.Generator,
) -> tuple[Roster, dict[str, pd.DataFrame]]:
    """Draw the people of the reserve.

    Parameters
    ----------
    calendar
        Dates.
    places
        Codes of units, townships and counties.
    factors
        Hidden factors: units with a thin reserve have fewer people, careless townships older records.
    keys
        Keys of the pseudonyms.
    count
        Number of people.
    rng
        Random stream.

    Returns
    -------
    roster, tables
        The people, and the tables ``people`` and ``people_protected``.
    """
    units = len(places.unit_code)
    appeal = np.exp(-0.5 * factors.base["reserve"] + 0.35 * rng.normal(size=units))
    home = np.repeat(np.arange(units), rng.multinomial(count, steady(appeal / appeal.sum())))
    elsewhere = rng.random(count) < 0.04
    township = places.township_of[home]
    woman = rng.random(count) < _WOMEN
    source = _sources(places.community[home], woman, rng)
    mean, spread = np.array(_AGE).T
    age = np.clip(np.round(steady(rng.normal(mean[source], spread[source]))), 20, 58).astype(np.int64)
    incumbent = source == _SOURCES.index(PersonSource.INCUMBENT)
    draw = rng.random(count)
    bounds = np.where(incumbent[:, None], np.cumsum(_STATUS_OF_INCUMBENTS), np.cumsum(_STATUS_OF_OTHERS))
    status = np.minimum((draw[:, None] >= steady(bounds)).sum(axis=1), len(_STATUSES) - 1)
    county = np.where(elsewhere, rng.integers(0, len(places.county_code), count), places.county_of[township])
    id_number = draw_id_numbers(np.array(places.county_code)[county], calendar.as_of.year - age, woman, rng)
    known, registered, updated = _dates(calendar, township, _grown_up(id_number), factors, places, rng)
    general, ability = _abilities(source, age, rng)
    trial = steady(66.0 + 7.0 * general + 0.25 * (ability - 66.0).mean(axis=1) + rng.normal(0, 4.0, count))
    ref = np.array([keys.pseudonym("person", number) for number in id_number.tolist()])
    order = np.argsort(ref)
    roster = Roster(
        ref=ref[order],
        id_number=id_number[order],
        name=draw_names(count, rng)[order],
        unit=np.where(elsewhere, -1, home)[order],
        township=township[order],
        woman=woman[order],
        age=age[order],
        source=source[order],
        status=status[order],
        known_from=known[order],
        ability=ability[order],
        trial=trial[order],
    )
    people = conform(
        "people",
        {
            "person_ref": roster.ref,
            "unit_code": text_of(places.unit_code, roster.unit),
            "channel": _channels(incumbent, rng)[order],
            "source": np.array([s.value for s in _SOURCES])[roster.source],
            "birth_year": calendar.as_of.year - roster.age,
            "education": _educations(roster, rng),
            "affiliation": _affiliations(roster, rng),
            "status": np.array([s.value for s in _STATUSES])[roster.status],
            "registered_on": registered[order],
            "updated_on": updated[order],
        },
    )
    towns = len(places.township_code)
    share = np.where(rng.random(towns) < 0.06, 0.25, 0.02)[roster.township]
    minority = pd.Series(rng.random(count) < share, dtype="boolean").mask(rng.random(count) < 0.02)
    protected = conform(
        "people_protected",
        {
            "person_ref": roster.ref,
            "sex": np.where(roster.woman, Sex.FEMALE.value, Sex.MALE.value),
            "is_minority": minority,
        },
    )
    return roster, {"people": people, "people_protected": protected}


def make_identities(roster: Roster, keys: KeyRing) -> pd.DataFrame:
    """Return names and numbers, sealed."""
    rows = list(zip(roster.ref.tolist(), roster.name.tolist(), roster.id_number.tolist(), strict=True))
    return conform(
        "identities",
        {
            "person_ref": roster.ref,
            "name_sealed": [keys.seal(name, "name", ref) for ref, name, _ in rows],
            "id_sealed": [keys.seal(number, "id_number", ref) for ref, _, number in rows],
        },
    )


def make_kinships(
    roster: Roster, subjects: pd.DataFrame, places: Places, rng: np.random.Generator
) -> pd.DataFrame:
    """Draw declared pairs of close kin: within the reserve, and with serving members of the committee.

    Parameters
    ----------
    roster
        The people.
    subjects
        The ``audit_subjects`` table: members of committees.
    places
        Codes of the units.
    rng
        Random stream.
    """
    pairs = _kin_within(roster, rng)
    serving = subjects[subjects["term_to"].isna()].drop_duplicates("person_ref")
    by_unit = serving.groupby("unit_code")["person_ref"].apply(lambda refs: sorted(refs)).to_dict()
    words = [Relation.SPOUSE.value, Relation.PARENT.value, Relation.SIBLING.value]
    declared, member, relation = (
        rng.random(len(roster)),
        rng.random(len(roster)),
        rng.integers(0, 3, len(roster)),
    )
    for person in np.flatnonzero((roster.unit >= 0) & (declared < 0.02)).tolist():
        members = by_unit.get(places.unit_code[roster.unit[person]], [])
        if members:
            other = str(members[int(member[person] * len(members))])
            pairs.append((str(roster.ref[person]), other, words[relation[person]]))
    columns = ("person_ref", "other_ref", "relation")
    return conform("kinships", {name: [pair[n] for pair in pairs] for n, name in enumerate(columns)})


# --- parts of the roster ---------------------------------------------------------------------------------


def _sources(urban: Mask, woman: Mask, rng: np.random.Generator) -> Integers:
    shares = np.where(urban[:, None], np.array(_URBAN), np.array(_RURAL))
    shares = np.where(woman[:, None], shares * np.array(_LEAN_OF_WOMEN), shares)
    bounds = steady(np.cumsum(shares / shares.sum(axis=1, keepdims=True), axis=1))
    place: Integers = (rng.random(len(urban))[:, None] >= bounds[:, :-1]).sum(axis=1)
    return place


def _channels(incumbent: Mask, rng: np.random.Generator) -> Texts:
    draw = rng.random(len(incumbent))
    own, found = np.where(incumbent, 0.08, 0.30), np.where(incumbent, 0.40, 0.72)
    words = [PersonChannel.SELF.value, PersonChannel.MASSES.value, PersonChannel.ORGANISATION.value]
    return np.array(words)[(draw >= own).astype(np.int64) + (draw >= found)]


def draw_id_numbers(county: Texts, year: Integers, woman: Mask, rng: np.random.Generator) -> Texts:
    """Draw identity numbers, none twice: county code of the fictional city, birth date, serial, check."""
    size = len(county)
    month, day = rng.integers(1, 13, size), rng.integers(1, _SPREAD_OF_BIRTHS + 1, size)
    taken: set[str] = set()
    numbers = []
    for person in range(size):
        stem = f"{county[person]}{year[person]:04d}{month[person]:02d}{day[person]:02d}"
        while True:
            digits = f"{stem}{2 * int(rng.integers(0, 500)) + (0 if woman[person] else 1):03d}"
            if digits not in taken:
                break
        taken.add(digits)
        numbers.append(digits + check_character(digits))
    return np.array(numbers)


def draw_names(count: int, rng: np.random.Generator) -> Texts:
    """Draw names of two to four characters; the characters of given names are those of landscapes."""
    surname = rng.integers(0, len(_SURNAMES), count)
    compound = np.where(rng.random(count) < 0.01, rng.integers(0, len(_COMPOUND), count), -1)
    given = rng.integers(0, len(_GIVEN), (count, 2))
    single = rng.random(count) < 0.14
    return np.array(
        [
            (_COMPOUND[c] if c >= 0 else _SURNAMES[s]) + _GIVEN[a] + ("" if one else _GIVEN[b])
            for s, c, (a, b), one in zip(
                surname.tolist(), compound.tolist(), given.tolist(), single.tolist(), strict=True
            )
        ]
    )


def _grown_up(id_number: Texts) -> Integers:
    """Return the day on which each person turned 18, as identity numbers tell."""
    born = [f"{int(number[6:10]) + _OF_AGE}-{number[10:12]}-{number[12:14]}" for number in id_number.tolist()]
    return np.array(born, dtype="datetime64[D]").astype(np.int64)


def _dates(
    calendar: Calendar,
    township: Integers,
    grown_up: Integers,
    factors: Factors,
    places: Places,
    rng: np.random.Generator,
) -> tuple[Integers, Integers, Integers]:
    """Return days of first notice, of registration and of the last update, in the rounds of each township.

    Nobody is registered before the age of voting and standing (村民委员会组织法 art. 13): whoever was noticed
    earlier is in the first round after that.
    """
    towns, count = len(places.township_code), len(township)
    office = np.zeros(towns)
    office[places.township_of] = factors.township
    offset = rng.integers(0, 60, towns)[township]
    last_round = calendar.today - 60 - offset
    back = rng.integers(0, 7, count)
    known = last_round - _ROUND * back
    registered = last_round - _ROUND * np.clip((last_round - grown_up) // _ROUND, 0, back)
    late = steady(np.clip(0.12 + 0.06 * office[township], 0.03, 0.35))
    draw = rng.random(count)
    recent = calendar.today - 20 - offset - 91 * rng.integers(0, 3, count)
    updated = np.where(draw < late, recent - 365 - 91 * rng.integers(0, 3, count), recent)
    never = (draw > 0.94) | (updated < registered)
    return known, registered, np.where(never, NO_DAY, updated)


def _abilities(source: Integers, age: Integers, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return general ability, and people × aspects of what evidence would tell without error."""
    hidden = rng.normal(size=(len(source), 3))
    loadings = np.array([_LOADINGS[a] for a in RATED])
    background = np.array([[_BACKGROUND[s].get(a, 0.0) for a in RATED] for s in _SOURCES])
    by_age = np.zeros(len(RATED))
    by_age[[RATED.index(a) for a in (PortraitAspect.DIGITAL, PortraitAspect.POTENTIAL)]] = (-0.35, -0.30)
    by_age[[RATED.index(a) for a in (PortraitAspect.MEDIATION, PortraitAspect.ACHIEVEMENT)]] = (0.20, 0.15)
    own = rng.normal(0.0, 4.0, (len(source), len(RATED)))
    ability = 66.0 + hidden @ loadings.T + background[source] + (age[:, None] - 40) * by_age + own
    return steady(hidden[:, 0]), steady(np.clip(ability, 30.0, 97.0))


def _educations(roster: Roster, rng: np.random.Generator) -> pd.Series[str]:
    """Draw education: graduates hold a degree or diploma; of all others the younger went to school longer."""
    words = [
        *(Education.MASTER, Education.BACHELOR, Education.COLLEGE),
        *(Education.SECONDARY_SPECIAL, Education.SENIOR_HIGH, Education.JUNIOR_HIGH),
    ]
    graduate = roster.source == _SOURCES.index(PersonSource.GRADUATE)
    schooling = (45.0 - roster.age) / 9.0 + rng.normal(0.0, 1.0, len(roster))
    place = np.select([schooling > 2.2, schooling > 0.6, schooling > -0.2, schooling > -1.3], [1, 2, 3, 4], 5)
    degree = np.minimum((rng.random(len(roster))[:, None] >= np.array([0.05, 0.66])).sum(axis=1), 2)
    place = np.where(graduate, degree, place)
    return text_of([w.value for w in words], np.where(rng.random(len(roster)) < 0.01, -1, place))


def _affiliations(roster: Roster, rng: np.random.Generator) -> pd.Series[str]:
    words = [
        *(PoliticalAffiliation.PARTY_MEMBER, PoliticalAffiliation.PROBATIONARY, PoliticalAffiliation.LEAGUE),
        *(PoliticalAffiliation.CDL, PoliticalAffiliation.INDEPENDENT, PoliticalAffiliation.MASSES),
    ]
    member = np.array([0.45, 0.60, 0.34, 0.34, 0.40, 0.84, 0.38])[roster.source]
    draw = rng.random(len(roster))
    league = np.where(roster.age <= 28, 0.22, 0.0)
    bounds = np.cumsum(
        np.stack([member, np.full_like(member, 0.05), league, *np.full((2, len(roster)), 0.003)]), axis=0
    )
    place = (draw >= steady(bounds)).sum(axis=0)
    return text_of([w.value for w in words], np.where(rng.random(len(roster)) < 0.005, -1, place))


def _kin_within(roster: Roster, rng: np.random.Generator) -> list[tuple[str, str, str]]:
    """Draw pairs of kin among people of the same unit; about one person in twenty has one."""
    order = np.argsort(roster.unit, kind="stable")
    order = order[roster.unit[order] >= 0]
    shuffled = order[np.lexsort((rng.random(len(order)), roster.unit[order]))]
    same = roster.unit[shuffled[1:]] == roster.unit[shuffled[:-1]]
    chosen = np.flatnonzero(same & (rng.random(len(same)) < 0.035))
    pairs = []
    for first, second in zip(shuffled[chosen].tolist(), shuffled[chosen + 1].tolist(), strict=True):
        apart = abs(int(roster.age[first] - roster.age[second]))
        if 15 <= apart < 19:
            continue
        relation = Relation.SIBLING
        if apart >= 19:
            relation = Relation.PARENT
        elif roster.woman[first] != roster.woman[second] and rng.random() < 0.5:
            relation = Relation.SPOUSE
        pairs.append((str(roster.ref[first]), str(roster.ref[second]), relation.value))
    return pairs
