"""What of the data of people has been kept long enough: pure rules over the tables and the parameter pack.

A row falls due on the day its term ends, ``months`` after its date; a term that ends on a day that its month
does not have ends on the last of that month (民法典 art. 202). Rows without a date never fall due by
themselves: that they lack one is told. Nothing is deleted here: :func:`without` gives tables without what is
due, and whoever writes them says so in the access log.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

import pandas as pd

from huanjie_lib.contracts import TABLES
from huanjie_lib.parameters import PrivacyPack, RetentionTerm
from huanjie_lib.vocabulary import date_text

__all__ = ["ASKED", "DUE_COLUMNS", "Due", "asked_for", "due", "folder_due_on", "of_person", "without"]

DUE_COLUMNS: Final = ("term", "label", "table", "person_ref", "row", "since", "due_on")
"""Columns of :attr:`Due.frame`: ``row`` is the place in the table, 0 for a person as a whole."""
ASKED: Final = "asked"
"""Stands for a term where the person has asked for deletion."""
WHOLE: Final[Mapping[str, tuple[str, ...]]] = {
    table.name: tuple(name for name in ("person_ref", "other_ref") if name in table.names)
    for table in TABLES.values()
    if table.personal and table.purpose in {"talent", "identity"}
}
"""Tables of the reserve, with the columns by which a row is about a person."""


@dataclass(frozen=True)
class Due:
    """What is due for deletion on a date.

    Parameters
    ----------
    as_of
        The date.
    frame
        :data:`DUE_COLUMNS`, one row for each row, or person, that is due; by term, date and place.
    undated
        Number of rows without a date, by the id of the term; only terms that have any.
    pack
        The terms.
    """

    as_of: dt.date
    frame: pd.DataFrame = field(repr=False)
    undated: Mapping[str, int] = field(repr=False)
    pack: PrivacyPack = field(repr=False)

    def __repr__(self) -> str:
        """Return the date, the number due and the version of the terms."""
        return f"Due(as_of={self.as_of}, due={len(self.frame)}, terms={self.pack.id}@{self.pack.version})"

    @property
    def whole(self) -> frozenset[str]:
        """Ids of the terms by which a person falls due and not a row."""
        return frozenset(term.id for term in self.pack.terms if term.whole_person) | {ASKED}

    def to_frame(self) -> pd.DataFrame:
        """Return what is due, :data:`DUE_COLUMNS`."""
        return self.frame.copy()

    def explain(self, term_id: str) -> str:
        """Return a Chinese sentence on one term.

        Raises
        ------
        KeyError
            If there is no such term.
        """
        term = next((one for one in self.pack.terms if one.id == term_id), None)
        if term is None:
            raise KeyError(term_id)
        rows = self.frame[self.frame["term"] == term_id]
        what = "人" if term.whole_person else "条"
        text = f"{term.label}（保存{term.months}个月，{term.basis}）："
        if rows.empty:
            text += "没有到期的。"
        else:
            first = rows["due_on"].min().date()
            text += f"{len(rows)}{what}到期，最早的在{date_text(first)}到期。"
        lacking = self.undated.get(term_id, 0)
        return text + (f"另有{lacking}{what}没有日期，不能判断。" if lacking else "")


def due(tables: Mapping[str, pd.DataFrame], pack: PrivacyPack, *, as_of: dt.date) -> Due:
    """Return what has been kept long enough on a date.

    Parameters
    ----------
    tables
        Contract tables by name; those that are not there have nothing due.
    pack
        The terms.
    as_of
        The date.

    Returns
    -------
    Due
        A row whose term ends on the date is due.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_privacy
    >>> people = pd.DataFrame({"person_ref": ["P1", "P2"], "status": ["left", "selected"],
    ...                        "registered_on": pd.to_datetime("2024-10-31"), "updated_on": pd.NaT})
    >>> found = due({"people": people}, load_privacy(), as_of=dt.date(2026, 10, 31))
    >>> found.frame["person_ref"].tolist()
    ['P1']
    >>> found.explain("people_left")
    '已出库人员（保存24个月，约定值；出库后目的已经实现，两年供回溯）：1人到期，最早的在2026年10月31日到期。'
    """
    parts, undated = [], {}
    for term in pack.terms:
        if term.table not in tables:
            continue
        rows, lacking = _due_rows(term, tables[term.table].reset_index(drop=True), as_of)
        parts.append(rows)
        if lacking:
            undated[term.id] = lacking
    empty = pd.DataFrame({name: pd.Series(dtype="object") for name in DUE_COLUMNS})
    frame = pd.concat([part for part in parts if len(part)] or [empty], ignore_index=True)
    kinds = {"row": "int64", "since": "datetime64[us]", "due_on": "datetime64[us]"}
    return Due(as_of, frame.astype(kinds), undated, pack)


def _due_rows(term: RetentionTerm, frame: pd.DataFrame, as_of: dt.date) -> tuple[pd.DataFrame, int]:
    """Return the rows of a table that are due by a term, and how many lack the date."""
    mine = frame if not term.status else frame[frame["status"] == term.status]
    since = pd.to_datetime(mine[term.since])
    if term.otherwise:
        since = since.where(since.notna(), pd.to_datetime(mine[term.otherwise]))
    ends = since + pd.DateOffset(months=term.months)
    over = ends.notna() & (ends <= pd.Timestamp(as_of))
    person = next(name for name in ("person_ref", "candidate_ref") if name in mine)
    rows = pd.DataFrame(
        {
            "term": term.id,
            "label": term.label,
            "table": term.table,
            "person_ref": mine[person].astype("str"),
            "row": 0 if term.whole_person else mine.index.to_series(),
            "since": since,
            "due_on": ends,
        }
    )[over]
    return rows.sort_values(["due_on", "person_ref", "row"], kind="stable"), int(since.isna().sum())


def asked_for(
    tables: Mapping[str, pd.DataFrame], pack: PrivacyPack, *, person_ref: str, as_of: dt.date
) -> Due:
    """Return one person as due, who has asked for deletion.

    Raises
    ------
    KeyError
        If the tables of the reserve hold nothing about the person.
    """
    if not any(rows.any() for rows in of_person(tables, person_ref).values()):
        raise KeyError(person_ref)
    day = pd.Timestamp(as_of)
    row = (ASKED, "本人申请删除", "people", person_ref, 0, day, day)
    kinds = {"since": "datetime64[us]", "due_on": "datetime64[us]"}
    return Due(as_of, pd.DataFrame([row], columns=list(DUE_COLUMNS)).astype(kinds), {}, pack)


def of_person(tables: Mapping[str, pd.DataFrame], person_ref: str) -> dict[str, pd.Series[bool]]:
    """Return which rows of the tables of the reserve are about a person, by table."""
    return {
        name: (tables[name][list(columns)] == person_ref).any(axis=1)
        for name, columns in WHOLE.items()
        if name in tables
    }


def without(tables: Mapping[str, pd.DataFrame], found: Due) -> dict[str, pd.DataFrame]:
    """Return the tables without what is due; the given ones are not changed.

    Parameters
    ----------
    tables
        The tables that ``found`` was drawn from, in the same order of rows.
    found
        What is due.
    """
    whole = found.frame[found.frame["term"].isin(found.whole)]
    kept = _without_people(tables, set(whole["person_ref"]))
    single = found.frame.drop(index=whole.index)
    for name, rows in single.groupby("table"):
        gone = pd.Series(tables[str(name)].reset_index(drop=True).index.isin(rows["row"]))
        people = _about(tables[str(name)], str(name), set(whole["person_ref"]))
        kept[str(name)] = tables[str(name)][~(gone.to_numpy() | people.to_numpy())].reset_index(drop=True)
    return kept


def _without_people(tables: Mapping[str, pd.DataFrame], refs: Collection[str]) -> dict[str, pd.DataFrame]:
    return {name: frame[~_about(frame, name, refs)].reset_index(drop=True) for name, frame in tables.items()}


def _about(frame: pd.DataFrame, table: str, refs: Collection[str]) -> pd.Series[bool]:
    columns = list(WHOLE.get(table, ()))
    if not columns or not refs:
        return pd.Series(data=False, index=frame.index)
    return frame[columns].isin(refs).any(axis=1)


def folder_due_on(as_of: dt.date, pack: PrivacyPack) -> dt.date:
    """Return the day on which a talent folder of a date falls due.

    Examples
    --------
    >>> from huanjie_lib.parameters import load_privacy
    >>> folder_due_on(dt.date(2024, 2, 29), load_privacy())
    datetime.date(2026, 2, 28)
    """
    ends: dt.date = (pd.Timestamp(as_of) + pd.DateOffset(months=pack.talent_folder_months)).date()
    return ends
