"""Column mappings (栏目对照): what a person has said the headings of an office's returns mean.

A mapping is a YAML file in the folder ``mappings`` of a data folder, one for each township or office. It is
used only once a person has confirmed it, and only for headings that mean nothing by themselves: no mapping
can change what a heading of the contract means, put two headings into one column, or let personal data in.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Protocol

import polars as pl
import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from huanjie_lib.contracts import (
    COUNTY_CODE_PATTERN,
    TOWNSHIP_CODE_PATTERN,
    UNIT_CODE_PATTERN,
    Column,
    Table,
    table,
)
from huanjie_lib.errors import DataError, Fault, UsageError
from huanjie_lib.intake.guard import CONTAINS_NUMBER, IS_NUMBER, personal_heading
from huanjie_lib.intake.headings import IGNORED, Heading, Names, bracketed, normalise, table_names
from huanjie_lib.intake.report import Issue, IssueLevel
from huanjie_lib.intake.values import is_void, parse
from huanjie_lib.outputs import require_new_files
from huanjie_lib.parameters import UniqueKeyLoader, pydantic_fault

__all__ = [
    "LEFT_OUT",
    "MAPPINGS",
    "Candidate",
    "Mapped",
    "Mappings",
    "SheetMapping",
    "Survey",
    "Target",
    "candidates",
    "confirm_mapping",
    "office_of",
    "read_mappings",
    "value_kinds",
    "write_proposals",
]

MAPPINGS: Final = "mappings"
"""Folder of mappings within a data folder."""

LEFT_OUT: Final = "不载入"
"""What a heading means that a person has decided to leave out."""

_UNIT_NAMES: Final = table_names(table("units"), frozenset())
_TELLING: Final = (UNIT_CODE_PATTERN, TOWNSHIP_CODE_PATTERN, COUNTY_CODE_PATTERN)
_LIKE: Final = 0.5
_MOST: Final = 3
_FILLERS = re.compile(
    r"^(?:[(（]?[0-9一二三四五六七八九十]+[)）]?[、.．]?|其中[:：]?)|(?:情况|统计|合计|总数|数量)$"
)
_HINT: Final = (
    "# 栏目对照：报送表中不认得的列标题各是什么意思。\n"
    f"# 逐项核对 means：写报送表中的列名，或“{LEFT_OUT}”。\n"
    f"# 文件放在数据文件夹的 {MAPPINGS} 文件夹内，用 huanjie mapping confirm 确认；未确认的不会采用。\n"
)


# ---------------------------------------------------------------- what a file of mappings may hold


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


_Filled = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class _Candidate(_Part):
    means: _Filled
    why: str = ""


class _Entry(_Part):
    heading: _Filled
    means: str = ""
    unit: str = ""
    values: str = ""
    candidates: list[_Candidate] = []


class _SheetPart(_Part):
    sheet: _Filled
    table: _Filled
    columns: list[_Entry]


class _File(_Part):
    office: _Filled
    confirmed_by: str = ""
    confirmed_on: dt.date | None = None
    sheets: list[_SheetPart]


# ---------------------------------------------------------------- what was said, ready for use


class Target(Protocol):
    """What a sheet can be; the first of its words is its name in files of mappings."""

    @property
    def words(self) -> tuple[str, ...]:
        """Names of the sheet."""

    @property
    def names(self) -> Names:
        """Headings that are understood by themselves."""

    @property
    def columns(self) -> Mapping[str, Column]:
        """Columns by name."""

    @property
    def main(self) -> Table:
        """Table that lines of the report belong to."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """What a person said of one heading.

    Parameters
    ----------
    heading
        The heading as the person wrote it.
    meaning
        Column and factor of its unit; ``None`` where the column is left out.
    said
        Who confirmed it, when, and in which file, in words for the report.
    """

    heading: str
    meaning: Heading | None
    said: str


@dataclass(frozen=True)
class SheetMapping:
    """The mapping of one sheet of an office: which table it is, and its headings without their form."""

    table: str
    columns: Mapping[str, Mapped]

    def find(self, title: str) -> Mapped | None:
        """Return what was said of a heading, given with the group above it as ``group/leaf`` or alone."""
        found = self.columns.get(normalise(title))
        return found or self.columns.get(normalise(title.rpartition("/")[2]))


@dataclass(frozen=True)
class Mappings:
    """All confirmed mappings of a data folder, by office and sheet.

    Parameters
    ----------
    root
        Folder of the returns, relative to the data folder.
    sheets
        (office, sheet name without its form) → mapping.
    """

    root: str = "returns"
    sheets: Mapping[tuple[str, str], SheetMapping] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Return the number of offices, sheets and headings."""
        headings = sum(len(s.columns) for s in self.sheets.values())
        offices = {office for office, _ in self.sheets}
        return f"Mappings(offices={len(offices)}, sheets={len(self.sheets)}, headings={headings})"

    def of(self, file: str, sheet: str) -> SheetMapping | None:
        """Return the mapping of a sheet of a return, or ``None`` where nothing was said of it."""
        return self.sheets.get((office_of(file, self.root), normalise(sheet)))


def office_of(file: str, root: str = "returns") -> str:
    """Return which office a return is from: its folder, else its name up to the first underscore or 换届.

    Examples
    --------
    >>> office_of("returns/石桥镇/报送表.xlsx"), office_of("returns/石桥镇_审计台账.csv")
    ('石桥镇', '石桥镇')
    >>> office_of("returns/石桥镇换届数据报送表(2026年10月).xlsx")
    '石桥镇'
    """
    inner = file.removeprefix(f"{root}/")
    folder, _, name = inner.partition("/")
    return folder if name else re.split(r"_|换届|\.", inner, maxsplit=1)[0]


# ---------------------------------------------------------------- reading


def read_mappings(
    data: Path, targets: Sequence[Target], *, root: str = "returns", offices: Iterable[str] = ()
) -> tuple[Mappings, list[Issue], list[Path]]:
    """Read the mappings of a data folder.

    Parameters
    ----------
    data
        The data folder; one without a folder ``mappings`` has none.
    targets
        What sheets can be.
    root
        Folder of the returns, relative to the data folder.
    offices
        Offices that have sent returns; a mapping of another is reported as unused.

    Returns
    -------
    tuple
        The confirmed mappings without a fault; lines of the report, each with its line in the file; and the
        files. A file with any fault is not used at all.
    """
    known = set(offices)
    sheets: dict[tuple[str, str], SheetMapping] = {}
    issues: list[Issue] = []
    folder = data / MAPPINGS
    files = (
        sorted(p for p in folder.glob("*") if p.is_file() and not p.name.startswith("."))
        if folder.is_dir()
        else []
    )
    owner: dict[tuple[str, str], str] = {}
    for path in files:
        place = path.relative_to(data).as_posix()
        reading = _Reading(place, targets)
        part = reading.file(path)
        issues += reading.issues
        if part is None or reading.issues:
            continue
        if not part.confirmed_by.strip() or part.confirmed_on is None:
            issues.append(_unconfirmed(place, part))
            continue
        if known and part.office not in known:
            issues.append(_unused(place, part, known))
        made = reading.mappings(part)
        twice = [key for key in made if key in owner]
        if twice:
            issues += [reading.line((), *_twice(key, owner[key])) for key in twice]
            continue
        owner |= dict.fromkeys(made, place)
        sheets |= made
    return Mappings(root, sheets), issues, files


def _unconfirmed(place: str, part: _File) -> Issue:
    lacking = "confirmed_by" if not part.confirmed_by.strip() else "confirmed_on"
    return Issue(
        IssueLevel.WARNING,
        found=f"栏目对照没有经人确认（缺 {lacking}），没有采用",
        allowed="由人核对后确认的对照",
        remedy=f"逐项核对后运行 huanjie mapping confirm --file {place} --by 账号",
        file=place,
    )


def _unused(place: str, part: _File, known: set[str]) -> Issue:
    return Issue(
        IssueLevel.WARNING,
        found=f"没有“{part.office}”的报送文件，这份栏目对照没有用上",
        allowed=f"报送单位：{'、'.join(sorted(known))[:200]}",
        remedy="改正 office，或删除不再需要的对照",
        file=place,
    )


def _twice(key: tuple[str, str], first: str) -> tuple[str, str, str]:
    return (
        f"“{key[0]}”的工作表“{key[1]}”在 {first} 中已有对照",
        "每个单位的每张工作表只有一份对照",
        "把两份合并为一份",
    )


class _Reading:
    """Reading of one file of mappings; every fault is kept with its line."""

    def __init__(self, place: str, targets: Sequence[Target]) -> None:
        self.issues: list[Issue] = []
        self._place = place
        self._targets = {normalise(word): t for t in targets for word in t.words[:1]}
        self._labels = "、".join(dict.fromkeys(t.words[0] for t in targets))
        self._root: yaml.Node | None = None

    def file(self, path: Path) -> _File | None:
        """Return the content of a file whose form is right, or ``None``."""
        if path.suffix.lower() not in {".yaml", ".yml"}:
            self._told(
                (), f"不是栏目对照的文件（{path.suffix or '没有扩展名'}）", ".yaml", "移出 mappings 文件夹"
            )
            return None
        try:
            text = path.read_bytes().decode("utf-8-sig")
            self._root = yaml.compose(text, Loader=yaml.SafeLoader)
            content = yaml.load(text, Loader=UniqueKeyLoader)
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            mark = getattr(error, "problem_mark", None)
            found = " ".join(str(getattr(error, "problem", None) or error).split())[:120]
            self._told(
                (), found, "UTF-8 编码的 YAML", "改正该处的书写", row=None if mark is None else mark.line + 1
            )
            return None
        try:
            part = _File.model_validate(content)
        except ValidationError as error:
            for detail in error.errors():
                fault = pydantic_fault(self._place, detail)
                path_of_key = fault.where.partition("：")[2]
                self._told(
                    detail["loc"],
                    f"{path_of_key}：{fault.found}" if path_of_key else fault.found,
                    fault.allowed,
                    fault.remedy,
                )
            return None
        self._check(part)
        return part

    def _check(self, part: _File) -> None:
        for number, sheet in enumerate(part.sheets):
            at = ("sheets", number)
            target = self._targets.get(normalise(sheet.table))
            if target is None:
                self._told((*at, "table"), sheet.table, self._labels, "改为报送表的名称")
                continue
            taken: dict[str, str] = {}
            seen: set[str] = set()
            for place, entry in enumerate(sheet.columns):
                where = (*at, "columns", place)
                if normalise(entry.heading) in seen:
                    self._told(
                        (*where, "heading"), f"“{entry.heading}”写了两次", "每个列标题只写一次", "删去一处"
                    )
                seen.add(normalise(entry.heading))
                self._check_entry(entry, target, where, taken)

    def _check_entry(
        self, entry: _Entry, target: Target, where: tuple[Any, ...], taken: dict[str, str]
    ) -> None:
        heading, label = normalise(entry.heading), target.words[0]
        leaf = heading.rpartition("/")[2]
        kind = personal_heading(heading)
        if kind is not None:
            self._told((*where, "heading"), f"个人信息的列（{kind}类）", "不含个人信息的列",
                       "删除这一项；个人信息不能经对照载入")  # fmt: skip
            return
        own = target.names.match(leaf)
        by_eye = _UNIT_NAMES.match(leaf) if own is None else None
        if leaf in IGNORED or (by_eye is not None and by_eye.name == "unit_name"):
            self._told(
                (*where, "heading"),
                f"“{entry.heading}”只供填表人核对，不属于数据",
                "数据列的标题",
                "删除这一项",
            )
            return
        means = entry.means.strip()
        if not means or means == LEFT_OUT:
            return
        column = target.names.match(means)
        if column is None or column.clash or column.scale != 1.0:
            labels = "、".join(c.label for c in target.columns.values())
            self._told(
                (*where, "means"), means, f"“{label}”中的列：{labels[:300]}，或“{LEFT_OUT}”", "改为其中一列"
            )
            return
        if own is not None and own.name != column.name:
            self._told(
                (*where, "means"),
                f"把“{entry.heading}”当作“{means}”",
                f"“{target.columns[own.name].label}”：报送表规定了这个标题的意思",
                "删除这一项；标题写错的，请填报单位更正",
            )
            return
        if self._meaning(entry, target).clash:
            self._told(
                (*where, "unit" if entry.unit else "heading"),
                f"单位 {entry.unit or bracketed(entry.heading)}",
                f"能换算为“{target.columns[column.name].unit or '（无单位）'}”的单位",
                "核对这一列的意思和单位",
            )
        if column.name in taken:
            self._told(
                (*where, "means"),
                f"“{taken[column.name]}”和“{entry.heading}”都当作“{means}”",
                "一列只对应一个标题",
                f"留下其中一个，另一个改为“{LEFT_OUT}”",
            )
        taken.setdefault(column.name, entry.heading)

    @staticmethod
    def _meaning(entry: _Entry, target: Target) -> Heading:
        """Return column and factor: the unit is the one stated, else that in brackets behind the heading."""
        unit = entry.unit.strip() or bracketed(entry.heading)
        plain = target.names.match(entry.means)
        assert plain is not None
        scaled = target.names.match(f"{target.columns[plain.name].label}({unit})") if unit else None
        return scaled or plain

    def mappings(self, part: _File) -> dict[tuple[str, str], SheetMapping]:
        """Return the mappings of a file without a fault; headings that nothing is said of stay unknown."""
        said = f"{part.confirmed_by.strip()} 于 {part.confirmed_on} 确认，见 {self._place}"
        made: dict[tuple[str, str], SheetMapping] = {}
        for sheet in part.sheets:
            target = self._targets[normalise(sheet.table)]
            columns = {
                normalise(e.heading): Mapped(
                    e.heading, None if e.means.strip() == LEFT_OUT else self._meaning(e, target), said
                )
                for e in sheet.columns
                if e.means.strip()
            }
            made[part.office, normalise(sheet.sheet)] = SheetMapping(target.words[0], columns)
        return made

    def line(
        self, path: Sequence[Any], found: str, allowed: str, remedy: str, row: int | None = None
    ) -> Issue:
        """Return a line of the report about a key of the file."""
        return Issue(
            IssueLevel.ERROR,
            found=found,
            allowed=allowed,
            remedy=f"{remedy}；这份对照在此之前不采用",
            file=self._place,
            row=row if row is not None else self._line_of(path),
        )

    def _told(
        self, path: Sequence[Any], found: str, allowed: str, remedy: str, row: int | None = None
    ) -> None:
        self.issues.append(self.line(path, found, allowed, remedy, row))

    def _line_of(self, path: Sequence[Any]) -> int | None:
        """Return the line, from 1, of the deepest key on a path that stands in the file."""
        node = self._root
        if node is None:
            return None
        line = node.start_mark.line + 1
        for part in path:
            if isinstance(node, yaml.MappingNode):
                found = next(((k, v) for k, v in node.value if k.value == part), None)
                if found is None:
                    break
                line, node = found[0].start_mark.line + 1, found[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                line = node.start_mark.line + 1
            else:
                break
        return line


# ---------------------------------------------------------------- proposing


@dataclass(frozen=True)
class Survey:
    """Headings of one sheet that mean nothing by themselves, each with the texts of its cells.

    Headings of personal data are not among them: nothing can map them in. ``found`` are the columns whose
    headings are understood.
    """

    file: str
    sheet: str
    target: Target
    found: frozenset[str]
    unknown: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A column that a heading may mean, and why; the score only orders candidates."""

    name: str
    label: str
    why: str
    score: float


def value_kinds(cells: Iterable[str]) -> str:
    """Return how many cells hold what kind of value; no value is repeated.

    Examples
    --------
    >>> value_kinds(["12", "3.5", "", "2026年10月3日", "是", "上云村", "11010519900307001X"])
    '7 格：空 1、日期 1、整数 1、小数 1、是否 1、文字 1、疑似证件号或手机号 1'
    """
    counts = dict.fromkeys(("空", *_KINDS, "文字", _SECRET), 0)
    for cell in cells:
        text = cell.strip()
        if is_void(text):
            kind = "空"
        elif re.fullmatch(IS_NUMBER, text) or re.search(CONTAINS_NUMBER, text):
            kind = _SECRET
        else:
            kind = next(
                (k for k, c in _KINDS.items() if not parse(pl.Series([text]), c).flaws.item()), "文字"
            )
        counts[kind] += 1
    return f"{sum(counts.values())} 格：" + "、".join(f"{kind} {n}" for kind, n in counts.items() if n)


_SECRET: Final = "疑似证件号或手机号"
_KINDS: Final = {
    "区划代码": Column("v", "string", "值", pattern=UNIT_CODE_PATTERN),
    "日期": Column("v", "date", "值"),
    "整数": Column("v", "integer", "值"),
    "小数": Column("v", "number", "值"),
    "是否": Column("v", "boolean", "值"),
}


def candidates(
    heading: str,
    cells: Sequence[str],
    target: Target,
    *,
    found: Iterable[str] = (),
    known: Mappings | None = None,
) -> list[Candidate]:
    """Return which columns a heading may mean, the likeliest first, at most three.

    What other offices' confirmed mappings say comes first, then a heading or alias of the contract within the
    heading, then headings and aliases that are spelt alike and into which at least half of the cells can be
    read, then vocabularies, dates and division codes that all cells belong to.

    Parameters
    ----------
    heading
        The heading.
    cells
        Texts of the cells below it.
    target
        What the sheet is.
    found
        Columns that other headings stand for already.
    known
        Confirmed mappings.

    Notes
    -----
    Likeness is the ratio of :class:`difflib.SequenceMatcher`, from 0.5, without brackets and words such as
    合计 that say nothing. Columns of pseudonyms are never proposed, nor anything for a column of what look
    like identity or telephone numbers.
    """
    filled = [c for c in cells if not is_void(c.strip())]
    plain = normalise(heading)
    if personal_heading(plain) is not None or any(re.search(CONTAINS_NUMBER, c) for c in filled):
        return []
    free = {n: c for n, c in target.columns.items() if n not in set(found) and not n.endswith("_ref")}
    best: dict[str, Candidate] = {}

    def add(name: str, why: str, score: float) -> None:
        if name in free and (name not in best or best[name].score < score):
            best[name] = Candidate(name, free[name].label, why, score)

    for (office, _), sheet in (known.sheets if known is not None else {}).items():
        said = sheet.columns.get(plain) if sheet.table == target.words[0] else None
        if said is not None and said.meaning is not None:
            add(said.meaning.name, f"“{office}”已确认的对照", 3.0)
    core = _core(plain)
    own = target.names.match(core)
    if own is not None:
        add(own.name, f"去掉附加的字即“{core}”", 2.0)
    for name, column in free.items():
        like = max(_likeness(core, normalise(s)) for s in (column.label, *column.aliases))
        telling = column.words is not None or column.kind == "date" or column.pattern in _TELLING
        fits = _fitting(filled, column) if like >= _LIKE or telling else 0
        if like >= _LIKE and 2 * fits >= len(filled):
            add(
                name,
                f"与“{column.label}”的写法相近（{like:.0%}），{len(filled)} 格中 {fits} 格可读作此项",
                like,
            )
        elif telling and len(filled) >= _MOST and fits == len(filled):
            add(name, f"{len(filled)} 格都可读作“{column.label}”", like)
    return sorted(best.values(), key=lambda c: (-c.score, list(target.columns).index(c.name)))[:_MOST]


def _core(heading: str) -> str:
    """Return a heading without group, brackets, numbering and words that say nothing."""
    text = re.sub(r"\([^()]*\)", "", heading.rpartition("/")[2])
    while (shorter := _FILLERS.sub("", text)) != text and shorter:
        text = shorter
    return text


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other, autojunk=False).ratio()


def _fitting(filled: Sequence[str], column: Column) -> int:
    """Return how many of the filled cells can be read as values of a column."""
    if not filled:
        return 0
    flaws = parse(pl.Series(filled, dtype=pl.String), column).flaws
    return int((flaws == 0).sum())


def write_proposals(
    surveys: Sequence[Survey], out: Path, *, known: Mappings, root: str = "returns", office: str | None = None
) -> list[Path]:
    """Write what unknown headings may mean, one file for each office, for a person to edit and confirm.

    Parameters
    ----------
    surveys
        Sheets with unknown headings.
    out
        A ``.yaml`` file for one office, or a folder.
    known
        Confirmed mappings; what they say is not asked again.
    root
        Folder of the returns, relative to the data folder.
    office
        Only this office.

    Raises
    ------
    UsageError
        If a file is there already, or one file was asked for and several offices have unknown headings.
    """
    offices: dict[str, dict[tuple[str, str], dict[str, dict[str, Any]]]] = {}
    for survey in surveys:
        name = office_of(survey.file, root)
        if office is not None and name != office:
            continue
        sheet = offices.setdefault(name, {}).setdefault((survey.sheet, survey.target.words[0]), {})
        for heading, cells in survey.unknown:
            sheet.setdefault(heading, _proposal(heading, cells, survey, known))
    single = out.suffix.lower() in {".yaml", ".yml"}
    if single and len(offices) > 1:
        found = f"一个文件；{'、'.join(offices)[:200]} 都有不认得的标题"
        fault = Fault("--out", found, "文件夹，或只选一个单位", "--out 改为文件夹，或加 --office")
        raise UsageError("栏目对照每个单位一个文件", [fault])
    paths = {name: out if single else out / f"{name}.yaml" for name in offices}
    require_new_files(paths.values(), refused="没有写出栏目对照")
    for name, path in paths.items():
        content = {
            "office": name,
            "confirmed_by": "",
            "confirmed_on": None,
            "sheets": [
                {"sheet": sheet, "table": table, "columns": list(columns.values())}
                for (sheet, table), columns in offices[name].items()
            ],
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=1000)
        path.write_text(_HINT + text, encoding="utf-8")
    return list(paths.values())


def _proposal(heading: str, cells: Sequence[str], survey: Survey, known: Mappings) -> dict[str, Any]:
    found = candidates(heading, cells, survey.target, found=survey.found, known=known)
    sure = bool(found) and found[0].score >= _SURE and (len(found) == 1 or found[1].score < found[0].score)
    personal = any(re.search(CONTAINS_NUMBER, c) for c in cells)
    return {
        "heading": heading,
        "means": LEFT_OUT if personal else found[0].label if sure else "",
        "values": value_kinds(cells),
        "candidates": [{"means": c.label, "why": c.why} for c in found],
    }


_SURE: Final = 0.75


def confirm_mapping(path: Path, targets: Sequence[Target], *, account: str, on: dt.date) -> int:
    """Write into a file of mappings who has confirmed it and when; return the number of headings.

    Raises
    ------
    DataError
        If the file has a fault or leaves a heading undecided; every one is listed with its line.
    """
    reading = _Reading(path.name, targets)
    part = reading.file(path)
    if part is not None and not reading.issues:
        for number, sheet in enumerate(part.sheets):
            for place, entry in enumerate(sheet.columns):
                if not entry.means.strip():
                    labels = "、".join(c.means for c in entry.candidates) or "报送表中的列名"
                    where = ("sheets", number, "columns", place, "means")
                    reading.issues.append(
                        reading.line(
                            where, f"“{entry.heading}”还没有写明意思", f"{labels}，或“{LEFT_OUT}”", "写明意思"
                        )
                    )
    if part is None or reading.issues:
        raise DataError("栏目对照不能确认", [issue.fault() for issue in reading.issues])
    if not account.strip():
        raise UsageError("没有写明由谁确认", [Fault("--by", "空", "确认人的账号", "补充账号")])
    text = path.read_bytes().decode("utf-8-sig")
    name = yaml.safe_dump(account.strip(), allow_unicode=True).splitlines()[0]
    stamp = f"confirmed_by: {name}\nconfirmed_on: {on}\n"
    text = re.sub(r"(?m)^confirmed_(?:by|on):.*\n?", "", text)
    text = re.sub(r"(?m)^(office:.*\n)", lambda m: m[1] + stamp, text, count=1)
    path.write_text(text, encoding="utf-8")
    return sum(len(s.columns) for s in part.sheets)
