"""From filled-in register forms to people under pseudonyms, sealed identities and protected attributes.

Names and ID numbers exist only here, in memory: what is handed on holds the keyed pseudonym, the sealed name
and number, and the year of birth. No line of the report, no account and no quarantined row repeats a cell of
a form: a row is named by file, sheet and row, since a name may stand in any column.

The same ID number twice is the same person. Of several rows the one updated last stands, of equally new ones
the one read last; the others are reported with the place of the one that stands. The same number under two
names is an error in one of them, and none is taken. A person who is in the register already is replaced by a
newer row, as a whole, and keeps to the older one otherwise. Nobody is registered before coming of age, from
when one may be elected (村民委员会组织法 art. 13, text of 2018): no later step reads an age.

Without keys forms are checked in the same way, under keys drawn for the occasion, and nothing is loaded.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import pandas as pd
import polars as pl

from huanjie_lib.access.id_numbers import IdFlaw, IdNumber, read_id_number
from huanjie_lib.access.keys import KeyRing, SealError
from huanjie_lib.access.register_form import FORM_COLUMNS_OF_PEOPLE, REGISTER_FORM
from huanjie_lib.contracts import Column, table
from huanjie_lib.intake.checks import Batch, Context
from huanjie_lib.intake.report import REGISTER, Issue, IssueLevel
from huanjie_lib.intake.values import Flaw, parse, remedy

__all__ = ["Registered", "settle"]

WITHOUT_KEYS: Final = "没有密钥，只作检查"
SAME_PERSON: Final = "同一人另有更新的登记"
ALREADY_HELD: Final = "人才库中的记录更新"
REPLACED: Final = "登记表中的记录更新"

_NO_ACTION: Final = "无需处理；如读取有误，请更正原表"
_OF_AGE: Final = 18
_SAMPLE_PLACE: Final = "99"
_NUMBERLIKE = re.compile(r"[0-9](?:\.[0-9]+)?E\+?[0-9]+|[0-9]{15,}\.[0-9]+", re.IGNORECASE)
_DIGIT = re.compile(r"[0-9０-９]")
_NAME, _ID = REGISTER_FORM.column("name"), REGISTER_FORM.column("id_number")


@dataclass
class Registered:
    """What the forms of a folder gave.

    Parameters
    ----------
    batches
        Rows to load, by table: ``people``, ``people_protected`` and ``identities``.
    issues
        Lines of the report.
    counts
        Account of the rows, one entry a sheet.
    quarantine
        Place and reasons of each refused row; none of its cells.
    """

    batches: dict[str, list[Batch]] = field(default_factory=dict)
    issues: list[Issue] = field(default_factory=list)
    counts: list[dict[str, str | int]] = field(default_factory=list)
    quarantine: pd.DataFrame | None = None


@dataclass
class _Person:
    """One row of a form that is read so far; ``id_number`` and ``name`` never leave this module."""

    sheet: int
    row: int
    name: str = field(repr=False)
    id_number: IdNumber = field(repr=False)
    ref: str
    cells: dict[str, object]
    updated: int


@dataclass
class _Work:
    """State of settling: the forms, and what was found in their rows (sheet and row number → reasons)."""

    forms: Sequence[Batch]
    context: Context
    keys: KeyRing
    done: Registered
    faults: dict[tuple[int, int], list[str]] = field(default_factory=dict)
    left_out: dict[tuple[int, int], str] = field(default_factory=dict)

    def tell(
        self,
        level: IssueLevel,
        sheet: int,
        row: int | None,
        column: Column,
        found: str,
        allowed: str,
        advice: str,
    ) -> None:
        form = self.forms[sheet]
        self.done.issues.append(
            Issue(
                level,
                found,
                allowed,
                advice,
                table=REGISTER,
                file=form.file,
                sheet=form.sheet,
                row=row,
                column=column.name,
                label=column.label,
            )
        )

    def refuse(self, sheet: int, row: int, column: Column, found: str, allowed: str, advice: str) -> None:
        self.tell(IssueLevel.ERROR, sheet, row, column, found, allowed, advice)
        reason = f"{column.label}：发现“{found}”，应为：{allowed}，{advice}"
        self.faults.setdefault((sheet, row), []).append(reason)

    def place(self, sheet: int, row: int, beside: int) -> str:
        """Return where a row stands, in words, for a message beside a row of another or the same sheet."""
        form = self.forms[sheet]
        name = f"工作表“{form.sheet}”" if form.sheet else ""
        return f"本表第 {row} 行" if sheet == beside else f" {form.file} {name}第 {row} 行"


def settle(
    forms: Sequence[Batch],
    held: Mapping[str, Sequence[Batch]],
    context: Context,
    keys: KeyRing | None,
) -> tuple[Registered, dict[str, list[Batch]]]:
    """Turn the forms of a folder into rows of tables.

    Parameters
    ----------
    forms
        Filled-in forms: batches of :data:`~huanjie_lib.access.register_form.REGISTER_FORM`, one a sheet.
    held
        Batches of ``people``, ``people_protected`` and ``identities`` that the folder holds already.
    context
        Units in force and confirmed changes of code.
    keys
        Keys of the organisation office; ``None`` checks the forms and loads nothing.

    Returns
    -------
    registered, held
        What the forms gave, and the batches held without the people whom a newer row replaces.
    """
    done, kept = Registered(), {name: list(batches) for name, batches in held.items()}
    if not forms:
        return done, kept
    load, using = keys is not None, keys or KeyRing.ephemeral()
    if load and not _opens(using, kept.get("identities", ())):
        done.issues.append(_wrong_keys())
        load, using = False, KeyRing.ephemeral()
    work = _Work(forms, context, using, done)
    people = [person for sheet in range(len(forms)) for person in _read(work, sheet)]
    people = _same_numbers(work, people)
    if load:
        people = _against_held(work, people, kept)
        _make_batches(work, people)
        chosen = {person.ref for person in people}
        kept = {name: [_without(b, chosen) for b in batches] for name, batches in kept.items()}
    else:
        for person in people:
            work.left_out[person.sheet, person.row] = WITHOUT_KEYS
        if keys is None:
            done.issues += [_unloaded(form) for form in forms if not form.refused]
    _account(work)
    return done, kept


# ---------------------------------------------------------------- rows


def _read(work: _Work, sheet: int) -> list[_Person]:
    """Return the rows of one form in which nothing is wrong by itself."""
    form = work.forms[sheet]
    if form.refused:
        work.done.issues += form.refused
        return []
    rows = form.rows.to_list()
    for place, issue in form.faults.items():
        column = Column(issue.column, "string", issue.label)
        work.refuse(sheet, rows[place], column, issue.found, issue.allowed, issue.remedy)
    typed = _columns(work, sheet, rows)
    texts = {c.name: _texts(form, c.name) for c in (_NAME, _ID)}
    people = []
    for position, row in enumerate(rows):
        number = _id_number(work, sheet, row, texts["id_number"][position])
        name = _name(work, sheet, row, texts["name"][position])
        cells = {column: values[position] for column, values in typed.items()}
        if number is not None:
            _compare_sex(work, sheet, row, cells, number)
            _compare_age(work, sheet, row, cells, number)
        if number is None or name is None or (sheet, row) in work.faults:
            continue
        ref = work.keys.pseudonym("person", number.text)
        updated = cells["updated_on"]
        day = -1 if updated is None else pd.Timestamp(str(updated)).toordinal()
        people.append(_Person(sheet, row, name, number, ref, cells, day))
    return people


def _texts(form: Batch, name: str) -> list[str]:
    if name not in form.raw.columns:
        return [""] * form.raw.height
    return [text or "" for text in form.raw[name].to_list()]


def _columns(work: _Work, sheet: int, rows: Sequence[int]) -> dict[str, list[object]]:
    """Return the typed cells of all columns but name and number; whatever is wrong with them is reported."""
    form = work.forms[sheet]
    typed: dict[str, list[object]] = {}
    for column in REGISTER_FORM.columns:
        if column in (_NAME, _ID):
            continue
        raw = pl.Series(_texts(form, column.name), dtype=pl.String)
        read = parse(raw, column)
        values = read.values.dt.to_string("%Y-%m-%d") if column.kind == "date" else read.values
        for position, flaw in enumerate(read.flaws.to_list()):
            cause = Flaw(flaw)
            if cause is Flaw.FINE and column.required and values[position] is None:
                cause = Flaw.MISSING
            if cause is not Flaw.FINE:
                found = _hidden(raw[position])
                work.refuse(sheet, rows[position], column, found, column.allowed(), remedy(cause))
        for note, mask in read.notes.items():
            found = f"{int(np.sum(mask))} 个单元格：{note.label}"
            work.tell(
                IssueLevel.NOTE,
                sheet,
                None,
                column,
                found,
                column.allowed(),
                _NO_ACTION,
            )
        typed[column.name] = values.to_list()
    typed["unit_code"] = _units(work, sheet, rows, typed["unit_code"])
    for position, row in enumerate(rows):
        first, last = typed["registered_on"][position], typed["updated_on"][position]
        if first is not None and last is not None and str(last) < str(first):
            earlier, later = REGISTER_FORM.column("registered_on"), REGISTER_FORM.column("updated_on")
            allowed, advice = f"不早于“{earlier.label}”的日期", f"核对“{earlier.label}”和“{later.label}”"
            work.refuse(sheet, row, later, "较早的日期", allowed, advice)
    return typed


def _units(work: _Work, sheet: int, rows: Sequence[int], codes: Sequence[object]) -> list[object]:
    """Return codes in force; old ones are replaced where the crosswalk says by which."""
    column, known = REGISTER_FORM.column("unit_code"), work.context.unit_names
    found: list[object] = []
    changed = 0
    for row, value in zip(rows, codes, strict=True):
        code = None if value is None else str(value)
        if code is not None and code not in known and code in work.context.recode:
            code, changed = work.context.recode[code], changed + 1
        if code is not None and code not in known:
            default = "核对代码；如为旧代码，先在区划代码对照中补充并确认；非本地人员留空"
            advice = work.context.doubtful.get(code, default)
            work.refuse(sheet, row, column, _hidden(code), "村(社区)名录中的代码", advice)
        found.append(code)
    if changed:
        text = f"{changed} 行：旧代码按已确认的区划代码对照换为新代码"
        work.tell(IssueLevel.NOTE, sheet, None, column, text, column.allowed(), _NO_ACTION)
    return found


def _hidden(text: object) -> str:
    """Return a stand-in for a cell: in a form any cell may hold a name."""
    plain = "" if text is None else str(text).strip()
    return f"（已隐藏，{len(plain)} 个字符）" if plain else "（空）"


def _id_number(work: _Work, sheet: int, row: int, text: str) -> IdNumber | None:
    def refused(found: str, advice: str, allowed: str = "18位身份证号") -> None:
        work.refuse(sheet, row, _ID, found, allowed, advice)

    if _NUMBERLIKE.fullmatch(unicodedata.normalize("NFKC", text).strip()):
        refused("数字格式的单元格，末几位已经丢失", "将该列设为文本格式后重新填写", "文本格式的18位身份证号")
        return None
    number = read_id_number(text)
    if isinstance(number, IdFlaw):
        refused(number.found, number.remedy)
        return None
    years = table("people").column("birth_year")
    low, high = years.minimum or 0, years.maximum or 0
    if not low <= number.birth_on.year <= high:
        refused("出生年份超出范围", "对照身份证改正", f"{low:g}至{high:g}年出生")
        return None
    if work.keys.is_sample and not number.text.startswith(_SAMPLE_PLACE):
        refused(
            "示例数据的密钥不保护任何人",
            "换用本单位的密钥文件后重新检查",
            "用本单位的密钥登记真实人员",
        )
        return None
    return number


def _name(work: _Work, sheet: int, row: int, text: str) -> str | None:
    name = re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))
    if not name:
        work.refuse(sheet, row, _NAME, "（空）", "姓名", remedy(Flaw.MISSING))
        return None
    if _DIGIT.search(name):
        work.refuse(sheet, row, _NAME, f"含数字的内容，{len(name)} 个字符", "姓名", "核对是否填错了列")
        return None
    return name


def _compare_sex(work: _Work, sheet: int, row: int, cells: dict[str, object], number: IdNumber) -> None:
    """Fill in a sex that is not stated, and tell one that doesn't fit the number."""
    column = REGISTER_FORM.column("sex")
    if cells["sex"] is None:
        cells["sex"] = number.sex.value
    elif cells["sex"] != number.sex.value:
        work.tell(
            IssueLevel.WARNING,
            sheet,
            row,
            column,
            "与身份证号第17位不一致",
            "奇数为男，偶数为女",
            "核对性别和身份证号；已按填报的性别载入",
        )


def _compare_age(work: _Work, sheet: int, row: int, cells: dict[str, object], number: IdNumber) -> None:
    """Refuse whoever was not of age on the day of registration."""
    if cells["registered_on"] is None:
        return
    born, day = number.birth_on, pd.Timestamp(str(cells["registered_on"]))
    before_birthday = (day.month, day.day) < (born.month, born.day)
    if day.year - born.year - before_birthday < _OF_AGE:
        found, allowed = f"登记时未满{_OF_AGE}周岁，没有被选举权", f"登记时年满{_OF_AGE}周岁"
        work.refuse(sheet, row, _ID, found, allowed, "核对身份证号和入库日期")


# ---------------------------------------------------------------- the same person


def _same_numbers(work: _Work, people: list[_Person]) -> list[_Person]:
    """Return one row a person: the newest; rows of one number under several names are all refused."""
    by_ref: dict[str, list[_Person]] = {}
    for person in people:
        by_ref.setdefault(person.ref, []).append(person)
    standing = []
    for rows in by_ref.values():
        if len({person.name for person in rows}) > 1:
            for person in rows:
                other = next(p for p in rows if p.name != person.name)
                work.refuse(
                    person.sheet,
                    person.row,
                    _NAME,
                    f"与{work.place(other.sheet, other.row, person.sheet)}身份证号相同而姓名不同",
                    "一个身份证号一个姓名",
                    "对照身份证核对姓名和号码，改正后重报",
                )
            continue
        newest = max(rows, key=lambda p: (p.updated, p.sheet, p.row))
        standing.append(newest)
        for person in rows:
            if person is not newest:
                work.left_out[person.sheet, person.row] = SAME_PERSON
                work.tell(
                    IssueLevel.WARNING,
                    person.sheet,
                    person.row,
                    _ID,
                    f"与{work.place(newest.sheet, newest.row, person.sheet)}是同一人",
                    "每人一行",
                    "已合并，按更新日期保留最新一行；请删去较早的行",
                )
    return standing


@dataclass(frozen=True)
class _Held:
    """What is held of a person already: day of the last update, −1 for none, and the sealed name."""

    updated: int
    name_sealed: str | None


def _against_held(work: _Work, people: list[_Person], held: Mapping[str, Sequence[Batch]]) -> list[_Person]:
    """Return the rows that are new or newer than what is held."""
    known = _held_people(held)
    standing = []
    for person in people:
        earlier = known.get(person.ref)
        if earlier is None:
            standing.append(person)
            continue
        doubt = _doubt(work.keys, person, earlier.name_sealed)
        if doubt is not None:
            work.refuse(person.sheet, person.row, _NAME, doubt[0], "与人才库中一致的姓名", doubt[1])
            continue
        newer = person.updated > earlier.updated
        if newer:
            standing.append(person)
        else:
            work.left_out[person.sheet, person.row] = ALREADY_HELD
        work.tell(
            IssueLevel.NOTE,
            person.sheet,
            person.row,
            _ID,
            "人才库中已有此人",
            "每人一条记录",
            "已按本行更新人才库" if newer else "人才库中的记录不早于本行，未改动",
        )
    return standing


def _doubt(keys: KeyRing, person: _Person, sealed: str | None) -> tuple[str, str] | None:
    """Return why a row may be another person's than the one held under its number, and what to do."""
    if sealed is None:
        return None
    try:
        same = keys.unseal(sealed, "name", person.ref) == person.name
    except SealError:
        return "人才库中此人的身份信息打不开", "核对身份信息表是否被改动或错行"
    if same:
        return None
    return "与人才库中同一身份证号的姓名不同", "对照身份证核对；确为改名的，先更正人才库"


def _held_people(held: Mapping[str, Sequence[Batch]]) -> dict[str, _Held]:
    names: dict[str, str] = {}
    for batch in held.get("identities", ()):
        if not batch.refused:
            names |= dict(zip(*(batch.raw[c].to_list() for c in ("person_ref", "name_sealed")), strict=True))
    known: dict[str, _Held] = {}
    for batch in held.get("people", ()):
        if batch.refused:
            continue
        days = np.full(batch.raw.height, -1)
        if "updated_on" in batch.raw.columns:
            read = parse(batch.raw["updated_on"], table("people").column("updated_on")).values
            days = (read.dt.epoch("d") + _EPOCH).fill_null(-1).to_numpy()
        for ref, day in zip(batch.raw["person_ref"].to_list(), days.tolist(), strict=True):
            known[ref] = _Held(day, names.get(ref))
    return known


_EPOCH: Final = pd.Timestamp("1970-01-01").toordinal()


def _opens(keys: KeyRing, identities: Sequence[Batch]) -> bool:
    """Whether the keys are those under which the identities held already were sealed."""
    for batch in identities:
        if batch.refused or not batch.raw.height:
            continue
        ref, sealed = batch.raw["person_ref"][0], batch.raw["name_sealed"][0]
        try:
            keys.unseal(str(sealed), "name", str(ref))
        except SealError:
            return False
    return True


def _without(batch: Batch, refs: set[str]) -> Batch:
    """Return a batch without the rows of people whom newer rows replace."""
    if batch.refused or "person_ref" not in batch.raw.columns:
        return batch
    gone = batch.raw["person_ref"].is_in(sorted(refs)).fill_null(False)
    if not gone.any():
        return batch
    return replace(
        batch,
        raw=batch.raw.filter(~gone),
        rows=batch.rows.filter(~gone),
        dropped={**batch.dropped, REPLACED: int(gone.sum())},
    )


# ---------------------------------------------------------------- out


def _make_batches(work: _Work, people: Sequence[_Person]) -> None:
    """Turn the rows that stand into rows of the three tables, sheet by sheet."""
    for sheet, form in enumerate(work.forms):
        mine = [person for person in people if person.sheet == sheet]
        if not mine:
            continue
        refs = [person.ref for person in mine]
        columns: dict[str, dict[str, list[object]]] = {
            "people": {
                "person_ref": [*refs],
                "birth_year": [str(p.id_number.birth_on.year) for p in mine],
                **{name: [p.cells[name] for p in mine] for name in FORM_COLUMNS_OF_PEOPLE},
            },
            "people_protected": {
                "person_ref": [*refs],
                "sex": [p.cells["sex"] for p in mine],
                "is_minority": [_yes_no(p.cells["is_minority"]) for p in mine],
            },
            "identities": {
                "person_ref": [*refs],
                "name_sealed": [work.keys.seal(p.name, "name", p.ref) for p in mine],
                "id_sealed": [work.keys.seal(p.id_number.text, "id_number", p.ref) for p in mine],
            },
        }
        rows = pl.Series([person.row for person in mine], dtype=pl.Int64)
        for name, cells in columns.items():
            raw = pl.DataFrame(cells, schema=dict.fromkeys(cells, pl.String))
            made = Batch(table(name), form.file, form.sheet, raw, rows)
            work.done.batches.setdefault(name, []).append(made)


def _yes_no(value: object) -> str | None:
    return None if value is None else ("是" if value else "否")


def _account(work: _Work) -> None:
    """Write down what became of every row, and where the refused ones stand."""
    files: list[str] = []
    sheets: list[str] = []
    numbers: list[int] = []
    reasons: list[str] = []
    for sheet, form in enumerate(work.forms):
        rows = form.rows.to_list()
        if form.refused:
            text = "；".join(
                f"{i.label or '表'}：{i.found}，应为：{i.allowed}，{i.remedy}" for i in form.refused
            )
            refused = dict.fromkeys(rows, text)
        else:
            refused = {row: "；".join(why) for (at, row), why in work.faults.items() if at == sheet}
        left = [why for (at, row), why in work.left_out.items() if at == sheet and row not in refused]
        dropped = dict(form.dropped) | {why: left.count(why) for why in sorted(set(left))}
        work.done.counts.append(
            {
                "file": form.file,
                "sheet": form.sheet,
                "table": REGISTER,
                "unit": "行",
                "read": len(rows) + sum(form.dropped.values()),
                "loaded": len(rows) - len(refused) - len(left),
                "quarantined": len(refused),
                "dropped": sum(dropped.values()),
                "reason": "；".join(f"{why} {count}" for why, count in dropped.items()),
            }
        )
        for row in sorted(refused):
            files.append(form.file)
            sheets.append(form.sheet)
            numbers.append(row)
            reasons.append(refused[row])
    if numbers:
        work.done.quarantine = pd.DataFrame(
            {
                "source_file": pd.array(files, dtype="str"),
                "source_sheet": pd.array(sheets, dtype="str"),
                "source_row": pd.array(numbers, dtype="Int64"),
                "reasons": pd.array(reasons, dtype="str"),
            }
        )


def _unloaded(form: Batch) -> Issue:
    return Issue(
        IssueLevel.WARNING,
        found="没有给出密钥，登记表只作检查，没有载入",
        allowed="组织部门的密钥文件",
        remedy="由组织部门用密钥载入；其他单位无需处理",
        table=REGISTER,
        file=form.file,
        sheet=form.sheet,
    )


def _wrong_keys() -> Issue:
    return Issue(
        IssueLevel.ERROR,
        found="密钥打不开已有的身份信息，登记表没有载入",
        allowed="与人才库配套的密钥文件",
        remedy="换用登记已有人员时的密钥；换错密钥会把同一人登记成两人",
        table=REGISTER,
    )
