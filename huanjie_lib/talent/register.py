"""The register of the reserve: whose record is stale, which units lack people, and who the people are.

The reserve of a unit are the people at home there who are registered by the date and selected, in
cultivation or on trial: those in office and those who have left are none. A record is as old as its last
update by the date, or as its registration where there was none; older than the pack's ``stale_days``, it is
stale: the person may have moved away since. A unit that reaches the number wanted only with stale records is
told so, never counted as safe.

The structure of the reserve is counted by channel, source, state, age, education, affiliation and locality.
Sex and ethnicity are no columns of the register: composition reads them, from their own table.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from huanjie_lib.parameters import ParameterSet
from huanjie_lib.vocabulary import (
    Education,
    PersonChannel,
    PersonSource,
    PersonStatus,
    PoliticalAffiliation,
    Word,
)

__all__ = ["RESERVE", "Register", "register"]

RESERVE: Final = (PersonStatus.SELECTED, PersonStatus.CULTIVATING, PersonStatus.TRIAL)
"""States in which a person is held in reserve."""

_WORDS: Final[Mapping[str, type[Word]]] = {
    "channel": PersonChannel,
    "source": PersonSource,
    "status": PersonStatus,
    "education": Education,
    "affiliation": PoliticalAffiliation,
}
_AGES: Final = ((35, "35岁及以下"), (45, "36至45岁"), (55, "46至55岁"), (200, "56岁及以上"))
_HOME, _ELSEWHERE = "本市村（社区）", "其他地方"
_UNSTATED: Final = "未填"


@dataclass(frozen=True)
class Register:
    """The reserve on a date.

    Parameters
    ----------
    people
        One row per person registered by the date, by pseudonym: person_ref, unit_code, channel, source,
        status, registered_on, updated_on, stale_days (days since the record was last touched), stale.
    quota
        One row per unit, in the order given: unit_code, reserve (people in reserve), stale (of them, with a
        stale record), wanted, gap (people lacking), gap_if_stale_left (lacking if nobody with a stale record
        is there any more).
    structure
        People in reserve by kind (channel, source, status, education, affiliation, age, locality), value and
        label; not stated is a value of its own. Every kind adds up to the same number.
    stale_days
        Age from which a record is stale.
    as_of
        Date.
    version
        Version of the parameters.
    """

    people: pd.DataFrame
    quota: pd.DataFrame
    structure: pd.DataFrame
    stale_days: int
    as_of: dt.date
    version: str

    def __repr__(self) -> str:
        """Return people, units, units that lack people, the date and the parameter version."""
        lacking = int((self.quota["gap"] > 0).sum())
        return (
            f"Register(people={len(self.people)}, units={len(self.quota)}, lacking={lacking}, "
            f"as_of={self.as_of}, parameters={self.version!r})"
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the reserve by unit."""
        return self.quota.copy()

    def explain(self, unit_code: str, *, name: str | None = None) -> str:
        """Return in Chinese whether a unit has enough people in reserve.

        Parameters
        ----------
        unit_code
            The unit.
        name
            What to call it; its code when omitted.

        Raises
        ------
        KeyError
            If there is no such unit.
        """
        row: dict[str, Any] = dict(self.quota.set_index("unit_code").loc[unit_code])
        text = f"{name or unit_code}后备人选{row['reserve']}人，应有{row['wanted']}人"
        text += f"，缺{row['gap']}人" if row["gap"] else "，人数达到"
        if row["stale"]:
            text += f"；其中{row['stale']}人的记录超过{self.stale_days}天没有更新，请先核实"
            if row["gap_if_stale_left"] > row["gap"]:
                text += f"，如都已不在，缺{row['gap_if_stale_left']}人"
        return text + "。"


def register(
    people: pd.DataFrame, units: Sequence[str] | pd.Series[str], parameters: ParameterSet, *, as_of: dt.date
) -> Register:
    """Return the state of the register on a date.

    Parameters
    ----------
    people
        The ``people`` table. People without a unit, or at home in none of ``units``, count in the structure
        and in no unit's reserve.
    units
        Codes of the units whose reserve is wanted.
    parameters
        With a talent pack (``stale_days``) and a rule ``reserve_minimum`` in force on the date.
    as_of
        Date; people registered later are not there yet, and an update made later is not known yet.

    Raises
    ------
    ValueError
        If there is no talent pack, a person is there twice, or a unit is.
    ParameterError
        If no rule ``reserve_minimum`` is in force on the date.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_parameters
    >>> people = pd.DataFrame({
    ...     "person_ref": ["P1", "P2"], "unit_code": ["990101001201", None], "channel": ["self", "masses"],
    ...     "source": ["graduate", "veteran"], "birth_year": [1999, 1980], "education": ["21", None],
    ...     "affiliation": ["01", "13"], "status": ["selected", "trial"],
    ...     "registered_on": pd.to_datetime(["2024-03-01", "2026-05-01"]),
    ...     "updated_on": pd.to_datetime(["2025-06-30", None])})
    >>> held = register(people, ["990101001201"], load_parameters(), as_of=dt.date(2026, 10, 31))
    >>> held.explain("990101001201", name="某村")
    '某村后备人选1人，应有2人，缺1人；其中1人的记录超过365天没有更新，请先核实，如都已不在，缺2人。'
    >>> held.people["stale_days"].tolist(), held.people["stale"].tolist()
    ([488, 183], [True, False])
    """
    pack = parameters.talent
    if pack is None:
        raise ValueError("the parameters have no talent pack")
    codes = pd.Index(list(units), dtype="str")
    for what, index in (("person", pd.Index(people["person_ref"])), ("unit", codes)):
        if not index.is_unique:
            raise ValueError(f"a {what} stands there twice")
    wanted = int(str(parameters.rule("reserve_minimum", as_of).value))
    day = pd.Timestamp(as_of)
    there = people[(people["registered_on"] <= day).to_numpy()].sort_values("person_ref", ignore_index=True)
    updated = there["updated_on"].where(there["updated_on"] <= day)
    age = (day - updated.fillna(there["registered_on"])).dt.days.astype("int64")
    columns = ["person_ref", "unit_code", "channel", "source", "status", "registered_on"]
    listed = there[columns].assign(updated_on=updated, stale_days=age, stale=age > pack.stale_days)
    held = listed[listed["status"].isin([s.value for s in RESERVE]).to_numpy()]
    return Register(
        people=listed,
        quota=_quota(held, codes, wanted),
        structure=_structure(there.loc[held.index], codes, as_of),
        stale_days=pack.stale_days,
        as_of=as_of,
        version=parameters.version,
    )


def _quota(held: pd.DataFrame, codes: pd.Index[str], wanted: int) -> pd.DataFrame:
    by_unit = held.groupby("unit_code")["stale"]
    reserve = by_unit.size().reindex(codes, fill_value=0).to_numpy(dtype=np.int64)
    stale = by_unit.sum().reindex(codes, fill_value=0).to_numpy(dtype=np.int64)
    return pd.DataFrame(
        {
            "unit_code": codes,
            "reserve": reserve,
            "stale": stale,
            "wanted": np.full(len(codes), wanted),
            "gap": np.maximum(wanted - reserve, 0),
            "gap_if_stale_left": np.maximum(wanted - (reserve - stale), 0),
        }
    )


def _structure(held: pd.DataFrame, codes: pd.Index[str], as_of: dt.date) -> pd.DataFrame:
    """Count people by each kind of attribute; every value of a vocabulary has a row, also where nobody is."""
    parts = []
    for kind, words in _WORDS.items():
        labels = {**words.labels(), "": _UNSTATED}
        parts.append(_counted(kind, held[kind].astype("str").fillna(""), labels))
    years = as_of.year - held["birth_year"].astype("float64")
    bounds = np.array([bound for bound, _ in _AGES], dtype=np.float64)
    place = np.searchsorted(bounds, years.fillna(0.0))
    ages = pd.Series([_AGES[p][1] for p in place], index=held.index, dtype="str").where(years.notna(), "")
    parts.append(_counted("age", ages, {**{label: label for _, label in _AGES}, "": _UNSTATED}))
    home = np.where(held["unit_code"].isin(codes), "home", "elsewhere")
    parts.append(_counted("locality", pd.Series(home), {"home": _HOME, "elsewhere": _ELSEWHERE}))
    return pd.concat(parts, ignore_index=True)


def _counted(kind: str, values: pd.Series[Any], labels: Mapping[str, str]) -> pd.DataFrame:
    counts = values.value_counts().reindex(list(labels), fill_value=0)
    return pd.DataFrame(
        {
            "kind": pd.Series([kind] * len(labels), dtype="str"),
            "value": pd.Series(list(labels), dtype="str"),
            "label": pd.Series(list(labels.values()), dtype="str"),
            "people": counts.to_numpy(dtype=np.int64),
        }
    )
