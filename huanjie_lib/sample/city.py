"""The synthetic city: all tables from one seed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from huanjie_lib.access.keys import KeyRing
from huanjie_lib.errors import Fault, UsageError
from huanjie_lib.parameters import ParameterSet, load_parameters
from huanjie_lib.sample.audits import Refs, make_audits
from huanjie_lib.sample.calendar import Calendar
from huanjie_lib.sample.elections import make_elections
from huanjie_lib.sample.facts import FactBook, make_flows, make_stocks
from huanjie_lib.sample.faults import Planter
from huanjie_lib.sample.frames import NO_DAY, conform, day_of, text_of
from huanjie_lib.sample.geography import FULL_SIZE, Geography, make_geography
from huanjie_lib.sample.latent import Factors, make_factors
from huanjie_lib.sample.ledgers import (
    make_disputes,
    make_leads,
    make_posts,
    make_reviews,
    make_screenings,
    make_talks,
    make_unit_plans,
)
from huanjie_lib.sample.names import CITY_NAME, RETURNS_COUNTY, Places, name_places
from huanjie_lib.sample.people import FULL_RESERVE, make_identities, make_kinships, make_roster
from huanjie_lib.sample.people_records import (
    Planted,
    make_assessments,
    make_evidence,
    make_plans,
    make_vettings,
)
from huanjie_lib.sample.population import Population, RollCheck, make_population, make_roll_check
from huanjie_lib.sample.streams import Integers, Mask, Streams
from huanjie_lib.vocabulary import CrosswalkKind, RollCohort, UnitKind, UrbanRural, VoterMode

__all__ = ["DEFAULT_AS_OF", "DEFAULT_SEED", "MINIMUM_UNITS", "City", "make_city"]

DEFAULT_SEED = 20261031
DEFAULT_AS_OF = dt.date(2026, 10, 31)
MINIMUM_UNITS = 60
_MINIMUM_PEOPLE = 100

_CODES_FROM = dt.date(2017, 10, 1)
_CODES_CHANGED = dt.date(2022, 10, 1)
_CHECKS_BACK = (24, 12, 7, 4, 0)
_CHECKS_PROGRESS = (0.5, 0.6, 0.3, 0.7, 1.0)


@dataclass(frozen=True)
class City:
    """A synthetic city.

    Parameters
    ----------
    name
        Its name.
    seed, as_of, snapshots
        What it was made from.
    tables
        Contract tables by name, without geometry and source columns.
    geometry
        ``unit_code`` and polygon (EPSG:4490); a few units have no polygon.
    truth
        Planted faults: fault, unit_code, table, detail. For tests only.
    latent
        Hidden scores by unit at ``as_of``. For tests and calibration only.
    """

    name: str
    seed: int
    as_of: dt.date
    snapshots: int
    tables: Mapping[str, pd.DataFrame]
    geometry: gpd.GeoDataFrame
    truth: pd.DataFrame
    latent: pd.DataFrame

    def __repr__(self) -> str:
        """Return name, size, last snapshot and seed."""
        return f"City({self.name!r}, units={len(self.tables['units'])}, as_of={self.as_of}, seed={self.seed})"


def make_city(
    *,
    seed: int = DEFAULT_SEED,
    units: int = FULL_SIZE,
    as_of: dt.date = DEFAULT_AS_OF,
    snapshots: int = 24,
    people: int | None = None,
    plant_faults: bool = True,
) -> City:
    """Make a synthetic city; equal arguments give equal tables.

    Parameters
    ----------
    seed
        Seed of all random draws, 0 or more.
    units
        Number of villages and communities, at least 60.
    as_of
        Last snapshot, a month end.
    snapshots
        Number of monthly snapshots.
    people
        People in the reserve, 100 or more; proportional to the units, 20,000 in the full city, when omitted.
    plant_faults
        Whether to plant faults and late returns; without, every figure that none of them touches is the same.

    Raises
    ------
    UsageError
        If an argument cannot work.

    Examples
    --------
    >>> make_city(units=60)
    City('云溪市', units=60, as_of=2026-10-31, seed=20261031)
    >>> make_city(units=5)
    Traceback (most recent call last):
        ...
    huanjie_lib.errors.UsageError: 无法生成示例城市（共 1 处问题）
      1. units：发现“5”；应为：不小于 60 的整数；处理办法：增加单位数。
    """
    faults = []
    if units < MINIMUM_UNITS:
        faults.append(Fault("units", str(units), f"不小于 {MINIMUM_UNITS} 的整数", "增加单位数"))
    if people is not None and people < _MINIMUM_PEOPLE:
        faults.append(Fault("people", str(people), f"不小于 {_MINIMUM_PEOPLE} 的整数", "增加人数"))
    if seed < 0:
        faults.append(Fault("seed", str(seed), "不小于 0 的整数", "改为非负整数"))
    if faults:
        raise UsageError("无法生成示例城市", faults)
    people = round(FULL_RESERVE * units / FULL_SIZE) if people is None else people
    calendar = Calendar(as_of, snapshots)
    streams = Streams(seed)
    land = make_geography(units, streams)
    places = name_places(land, _communities(land), streams["names"])
    return _Maker(seed, calendar, streams, land, places).make(people, plant_faults=plant_faults)


def _communities(land: Geography) -> Mask:
    """Return which units are communities: the most urban fifth, and one seat in most other townships."""
    count = round(0.19 * land.size)
    community = np.zeros(land.size, dtype=np.bool_)
    community[np.argsort(-land.urbanity, kind="stable")[:count]] = True
    for town in range(int(land.township.max()) + 1):
        inside = np.flatnonzero(land.township == town)
        if not community[inside].any() and town % 4:
            centre = land.points[inside].mean(axis=0)
            distance = np.round(np.hypot(*(land.points[inside] - centre).T), 6)
            community[inside[np.argmin(distance)]] = True
    return community


class _Maker:
    """Makes the tables of one city, all in the order of the unit codes."""

    def __init__(
        self, seed: int, calendar: Calendar, streams: Streams, land: Geography, places: Places
    ) -> None:
        self.seed, self.calendar, self.streams, self.places = seed, calendar, streams, places
        self.codes = places.unit_code
        self.size = land.size
        self.community = places.community
        rank = np.empty(land.size, dtype=np.int64)
        rank[places.order] = np.arange(land.size)
        self.pairs = rank[land.pairs]
        self.urbanity = land.urbanity[places.order]
        self.points = land.points[places.order]
        self.polygons: list[shapely.Polygon | None] = [land.polygons[p] for p in places.order]
        self.county = places.county_of[places.township_of]
        self.factors: Factors = make_factors(
            self.size,
            self.pairs,
            places.township_of,
            len(calendar.month_ends),
            self.urbanity,
            streams["latent"],
        )

    def make(self, people: int, *, plant_faults: bool) -> City:
        """Return the city, with or without planted faults."""
        calendar, streams, factors, codes = self.calendar, self.streams, self.factors, self.codes
        planter = Planter(calendar, codes, self.community, streams["faults"], idle=not plant_faults)
        orphans = self._without_polygon()
        population = make_population(self.community, self.urbanity, factors, streams["population"])
        checks = self._checks(population)
        planter.roll_checks(checks[max(checks)])
        book = FactBook(self.size, calendar)
        make_stocks(book, self.community, self.urbanity, factors, population, checks, streams["stocks"])
        make_flows(book, book.values["resident_population"][:, -1], factors, streams["flows"])
        planter.hot_spots(book, self.pairs)
        planter.revised(book)
        electors = checks[max(checks)].expected.sum(axis=1).astype(np.float64)
        seats = book.values["committee_seats"][:, -1].astype(np.int64)
        households = book.values["households"][:, -1]
        held = np.nanmax(book.values["committee_members"], axis=1).astype(np.int64)
        refs = Refs(streams["audits"], "p")
        tables = make_audits(calendar, codes, self.community, held, factors, refs, streams["audits"])
        planter.audit_notices(tables["audit_projects"], tables["audit_notices"])
        tables["audit_subjects"] = planter.audit_members(tables["audit_projects"], tables["audit_subjects"])
        tables["audit_problems"] = planter.audit_problems(tables["audit_projects"], tables["audit_problems"])
        tables["disputes"] = planter.disputes(make_disputes(calendar, codes, factors, streams["disputes"]))
        tables["unit_plans"] = make_unit_plans(calendar, codes, factors, streams["unit_plans"])
        tables["screenings"] = make_screenings(calendar, codes, households, factors, streams["screenings"])
        parameters = load_parameters()
        rule = parameters.rule("review_departments", calendar.as_of).value
        departments = rule if isinstance(rule, tuple) else (str(rule),)
        tables["reviews"] = planter.reviews(
            make_reviews(
                calendar, codes, departments, factors, Refs(streams["reviews"], "c"), streams["reviews"]
            )
        )
        tables["leads"] = planter.leads_burst(
            make_leads(calendar, codes, electors, factors, streams["leads"])
        )
        existed = np.ones(self.size, dtype=np.bool_)
        existed[[new for new, _ in orphans]] = False
        history, outcomes = make_elections(calendar, codes, electors, existed, factors, streams["elections"])
        planter.proxy_share(history)
        tables["election_history"], tables["outcomes"] = history, outcomes
        tables["posts"] = make_posts(codes, self.community, seats)
        paper = np.array(self.places.county_code)[self.county] == RETURNS_COUNTY
        gone = planter.late_returns(book, self.places.township_of, factors.township, paper)
        tables["roll_checks"] = self._roll_frame(checks, gone["roll_checks"])
        talks = make_talks(calendar, codes, factors, streams["talks"])
        silent = np.array(codes)[gone["talks"]]
        tables["talks"] = talks[~talks["unit_code"].isin(silent)].reset_index(drop=True)
        tables["facts"] = book.frame(codes)
        tables["townships"] = self._townships()
        tables["crosswalk"], changed = self._crosswalk(orphans)
        tables["units"] = self._units(changed)
        planted = self._reserve(tables, people, parameters, departments, idle=not plant_faults)
        return City(
            name=CITY_NAME,
            seed=self.seed,
            as_of=calendar.as_of,
            snapshots=calendar.snapshots,
            tables={name: tables[name] for name in sorted(tables)},
            geometry=gpd.GeoDataFrame({"unit_code": codes}, geometry=self.polygons, crs="EPSG:4490"),
            truth=pd.concat([planter.truth(), planted.truth()], ignore_index=True),
            latent=pd.DataFrame({"unit_code": codes, **factors.base}),
        )

    def _reserve(
        self,
        tables: dict[str, pd.DataFrame],
        people: int,
        parameters: ParameterSet,
        departments: Sequence[str],
        *,
        idle: bool,
    ) -> Planted:
        """Add the tables of the reserve; return what was planted in them."""
        calendar, places, rng = self.calendar, self.places, self.streams["people"]
        keys, talent = KeyRing.from_seed(self.seed), parameters.talent
        if talent is None:
            raise ValueError("the shipped pack has no talent.yaml")
        roster, made = make_roster(calendar, places, self.factors, keys, people, rng)
        tables.update(made)
        planted = Planted(places, roster, self.streams["faults"], idle=idle)
        tables["identities"] = make_identities(roster, keys)
        tables["kinships"] = make_kinships(roster, tables["audit_subjects"], places, rng)
        tables["evidence"] = make_evidence(calendar, roster, talent.evidence, places, rng)
        tables["plans"] = make_plans(calendar, roster, talent.steps, places, keys, rng)
        tables["assessments"] = make_assessments(roster, places, calendar, keys, planted, rng)
        tables["vettings"] = make_vettings(calendar, roster, departments, places, planted, rng)
        return planted

    def _without_polygon(self) -> list[tuple[int, int]]:
        """Take the polygons of a few new communities back into the unit they were split from.

        Returns the pairs (new unit, unit it was split from).
        """
        wanted = max(2, round(7 * self.size / FULL_SIZE))
        both = np.concatenate([self.pairs, self.pairs[:, ::-1]])
        town = self.places.township_of
        found: list[tuple[int, int]] = []
        used: list[int] = []
        for new in self.streams["population"].permutation(np.flatnonzero(self.community)).tolist():
            if len(found) == wanted:
                break
            for parent in np.sort(both[both[:, 0] == new, 1]).tolist():
                if town[parent] != town[new] or parent in used or new in used:
                    continue
                merged = shapely.union_all([self.polygons[new], self.polygons[parent]])
                if isinstance(merged, shapely.Polygon) and not merged.interiors:
                    self.polygons[parent] = merged
                    self.polygons[new] = None
                    found.append((new, parent))
                    used += [new, parent]
                    break
        return found

    def _checks(self, population: Population) -> dict[int, RollCheck]:
        last = len(self.calendar.month_ends) - 1
        careless = 0.8 * self.factors.base["procedure"] + 0.2 * self.factors.township
        return {
            last - back: make_roll_check(population, back / 12.0, careless, progress, self.streams["rolls"])
            for back, progress in zip(_CHECKS_BACK, _CHECKS_PROGRESS, strict=True)
            if back <= last
        }

    def _roll_frame(self, checks: Mapping[int, RollCheck], absent: list[int]) -> pd.DataFrame:
        cohorts = [c.value for c in RollCohort]
        unit = np.tile(np.repeat(np.arange(self.size), len(cohorts)), len(checks))
        columns = {
            name: np.concatenate([getattr(check, name).ravel() for check in checks.values()])
            for name in (
                "hukou_adults",
                "away_declined",
                "nonlocal_approved",
                "disqualified",
                "registered",
                "duplicates",
            )
        }
        kept = ~np.isin(unit, absent)
        per_check = self.size * len(cohorts)
        return conform(
            "roll_checks",
            {
                "unit_code": text_of(self.codes, unit[kept]),
                "as_of": np.repeat(self.calendar.days[list(checks)], per_check)[kept],
                "cohort": text_of(cohorts, np.tile(np.arange(len(cohorts)), self.size * len(checks))[kept]),
                **{name: values[kept] for name, values in columns.items()},
            },
        )

    def _townships(self) -> pd.DataFrame:
        places = self.places
        return conform(
            "townships",
            {
                "township_code": places.township_code,
                "township_name": places.township_name,
                "county_code": text_of(places.county_code, places.county_of),
                "county_name": text_of(places.county_name, places.county_of),
            },
        )

    def _crosswalk(self, orphans: list[tuple[int, int]]) -> tuple[pd.DataFrame, Integers]:
        """Return the crosswalk and the units whose codes began with it."""
        rng = self.streams["names"]
        taken = [u for pair in orphans for u in pair]
        free = np.setdiff1d(np.arange(self.size), taken)
        count = max(2, round(6 * self.size / FULL_SIZE))
        paper = free[np.array([self.codes[u].startswith(RETURNS_COUNTY) for u in free.tolist()])]
        chosen = np.concatenate([rng.choice(paper, 1), rng.choice(free, count, replace=False)])
        renumbered = np.unique(chosen)
        free = np.setdiff1d(free, renumbered)
        merged = np.sort(rng.choice(free, max(1, count // 2), replace=False))
        old, new, kind = [], [], []
        for unit in renumbered.tolist():
            old.append(self.codes[unit][:9] + str(int(self.codes[unit][9:]) + 90).zfill(3))
            new.append(self.codes[unit])
            kind.append(CrosswalkKind.RENUMBER.value)
        for unit in merged.tolist():
            for code in (
                self.codes[unit],
                self.codes[unit][:9] + str(int(self.codes[unit][9:]) + 150).zfill(3),
            ):
                old.append(code)
                new.append(self.codes[unit])
                kind.append(CrosswalkKind.MERGE.value)
        for child, parent in orphans:
            for unit in (parent, child):
                old.append(self.codes[parent])
                new.append(self.codes[unit])
                kind.append(CrosswalkKind.SPLIT.value)
        frame = conform(
            "crosswalk",
            {
                "old_code": old,
                "new_code": new,
                "kind": kind,
                "effective_on": np.full(len(old), day_of(_CODES_CHANGED)),
                "confirmed_by": ["shi-huanjieban"] * len(old),
                "confirmed_on": np.full(len(old), day_of(_CODES_CHANGED) + 12),
            },
        )
        return frame, np.array(sorted([*renumbered.tolist(), *(n for n, _ in orphans)]), dtype=np.int64)

    def _units(self, changed: Integers) -> pd.DataFrame:
        places, rng = self.places, self.streams["names"]
        street = np.array([code[6] == "0" for code in places.township_code])[places.township_of]
        rural_town = np.array([code[6] == "2" for code in places.township_code])[places.township_of]
        classes = np.select(
            [
                street & (self.urbanity > 0.35),
                street,
                self.community & ~rural_town,
                (self.urbanity > 0.12) & ~rural_town,
                self.community,
            ],
            [
                UrbanRural.URBAN_CORE.value,
                UrbanRural.URBAN_FRINGE.value,
                UrbanRural.TOWN_CORE.value,
                UrbanRural.TOWN_FRINGE.value,
                UrbanRural.RURAL_CENTRE.value,
            ],
            default=UrbanRural.RURAL.value,
        )
        modes = (VoterMode.RESIDENTS.value, VoterMode.HOUSEHOLDS.value, VoterMode.DELEGATES.value)
        drawn = np.array(modes)[rng.choice(3, self.size, p=[0.2, 0.5, 0.3])]
        began = np.full(self.size, day_of(_CODES_FROM))
        began[changed] = day_of(_CODES_CHANGED)
        return conform(
            "units",
            {
                "unit_code": self.codes,
                "unit_name": places.unit_name,
                "unit_kind": np.where(self.community, UnitKind.COMMUNITY.value, UnitKind.VILLAGE.value),
                "township_code": text_of(places.township_code, places.township_of),
                "urban_rural": classes,
                "voter_mode": np.where(self.community, drawn, VoterMode.VILLAGERS.value),
                "valid_from": began,
                "valid_to": np.full(self.size, NO_DAY),
                "longitude": self.points[:, 0],
                "latitude": self.points[:, 1],
            },
        )
