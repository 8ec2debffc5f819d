"""The part of a talent folder that one account may see, as a talent folder of its own for a kernel.

It holds no sealed name and no name of an input file. For an account with an area it holds the posts and units
of the area, whoever is at home there or on a list for a post in it, and what is known of these people. Of
their places on lists elsewhere it holds that there are some, and not where. Figures of the whole city that
tell nobody apart (structure of the reserve, the proof of fairness, rates by group) stay.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from huanjie_lib.access.roles import require
from huanjie_lib.store.manifest import PARAMETERS, write_manifest
from huanjie_lib.store.talent_folder import TALENT_TABLES, TalentRun, read_talent, write_talent
from huanjie_lib.vocabulary import Role

__all__ = ["write_talent_cut"]

_OF_PLACES: Final = ("quota", "posts", "weights", "shortlists", "teams", "team_checks", "team_costs")
"""Tables of which the rows of units in the area are kept."""
_OF_PEOPLE: Final = (
    *("people", "eligibility", "eligible", "portraits", "evidence", "tasks"),
    *("trials", "races", "cultivation"),
)
"""Tables of which the rows of people whom the area concerns are kept."""
_OF_BOTH: Final = ("standing",)
"""Tables of which the rows of its people in its units are kept."""
_OF_THE_CITY: Final = ("structure", "certificate", "proxies", "impact")
"""Tables that tell nobody and no unit apart."""
_ELSEWHERE: Final = "elsewhere"


def write_talent_cut(source: Path, out: Path, *, role: Role, scope: Sequence[str] = ()) -> dict[str, Any]:
    """Write the part of a talent folder that an account may see, and return its manifest.

    Parameters
    ----------
    source
        Folder written by ``huanjie match``.
    out
        New folder.
    role
        Role of the account.
    scope
        Beginnings of the unit codes of its area; everything when empty.

    Raises
    ------
    DataError
        If the source is no talent folder.
    UsageError
        If the role may not read a talent folder.
    """
    for name in TALENT_TABLES:
        require(role, f"talent/{name}", "talent")
    whole = read_talent(source)
    part = {"role": role.value, "scope": list(scope), "talent_sha256": whole.digest}
    if not scope:
        return _copied(whole, source, out, part)
    proven = dict(whole.manifest.get("proven") or {})
    proven.pop("teams_least", None)  # of the whole city
    return write_talent(
        replace(whole, frames=_cut(whole, tuple(scope))),
        out,
        identities=None,
        inputs=[],
        code_version=whole.manifest["code_version"],
        risk_run=whole.manifest["risk_run"],
        proven=proven,
        part=part,
    )


def _copied(whole: TalentRun, source: Path, out: Path, part: Mapping[str, Any]) -> dict[str, Any]:
    """Write all tables as they stand, and a manifest that names no input and no sealed name."""
    out.mkdir(parents=True, exist_ok=True)
    names = [PARAMETERS, *(f"{name}.parquet" for name in TALENT_TABLES)]
    for name in names:
        shutil.copyfile(source / name, out / name)
    outputs = {name: whole.manifest["outputs"][name] for name in names}
    manifest = {**whole.manifest, "inputs": [], "intake": {}, "outputs": outputs, "part": dict(part)}
    write_manifest(out, manifest)
    return manifest


def _cut(whole: TalentRun, scope: tuple[str, ...]) -> dict[str, pd.DataFrame]:
    """Return the tables without what concerns neither the area nor its people."""
    units = whole.table("units")
    area, people = set(units.loc[_within(units["unit_code"], scope), "unit_code"]), whole.people_of(scope)
    cut = {name: whole.table(name) for name in _OF_THE_CITY}
    for name in _OF_PLACES:
        cut[name] = whole.table(name, unit_code=area)
    for name in _OF_PEOPLE:
        cut[name] = whole.table(name, person_ref=people)
    for name in _OF_BOTH:
        cut[name] = whole.table(name, person_ref=people, unit_code=area)
    rules = cut["eligibility"]  # kin in office in a unit is that unit's
    cut["eligibility"] = rules[rules["unit_code"].isna() | rules["unit_code"].isin(area)]
    cut["lists"] = _lists(whole.table("lists"), people, scope)
    cut["raters"] = whole.table("raters").iloc[:0]
    homes = area | set(cut["people"]["unit_code"].dropna())
    cut["units"] = units[units["unit_code"].isin(homes)]
    return {name: cut[name].reset_index(drop=True) for name in TALENT_TABLES}


def _within(codes: pd.Series[str], scope: tuple[str, ...]) -> pd.Series[bool]:
    return codes.fillna("").str.startswith(scope)


def _lists(lists: pd.DataFrame, people: frozenset[str], scope: tuple[str, ...]) -> pd.DataFrame:
    """Return the city-wide lists of the area; of those elsewhere, that its people are on so many of them."""
    here = _within(lists["unit_code"], scope)
    elsewhere = lists[~here & lists["person_ref"].isin(people)]
    hidden = elsewhere.assign(unit_code=_ELSEWHERE, post="", fit=np.nan)
    return pd.concat([lists[here], hidden.astype(lists.dtypes)], ignore_index=True)
