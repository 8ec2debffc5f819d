"""A data folder in, contract tables out: the order of reading, and what belongs to the folder as a whole."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
import polars as pl
import yaml

from huanjie_lib.access.keys import KeyRing
from huanjie_lib.access.register_form import REGISTER_FORM
from huanjie_lib.contracts import TABLES, Table
from huanjie_lib.errors import DataError, Fault, UsageError
from huanjie_lib.intake.checks import Batch, Checked, Context, check, to_pandas
from huanjie_lib.intake.crosswalk import recoding
from huanjie_lib.intake.files import (
    TABLE_SUFFIXES,
    check_kind,
    column_places,
    digest,
    has_geometry,
    read_table,
)
from huanjie_lib.intake.headings import Names, known_units, table_names
from huanjie_lib.intake.judgments import JUDGMENTS_FILE
from huanjie_lib.intake.mapping import Mappings, Survey, office_of, read_mappings
from huanjie_lib.intake.register import settle
from huanjie_lib.intake.report import (
    BOUNDARIES,
    COUNT_COLUMNS,
    COUNTED,
    REGISTER,
    ColumnPlace,
    InputFile,
    Intake,
    Issue,
    IssueLevel,
    issue_frame,
    place_frame,
    plain_frame,
    report_frame,
    table_label,
)
from huanjie_lib.intake.sandbox import CrashError, Job, Sandbox
from huanjie_lib.intake.sheets import Reading, SheetReader
from huanjie_lib.intake.workbook import Book, Grid, read_csv_grid, read_workbook
from huanjie_lib.parameters import ParameterSet

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["Progress", "read_folder", "survey_returns"]

Progress = Callable[[str, int, int], None]

_SOURCES: Final = "sources.yaml"
_SOURCE_KEYS = ("title", "as_of", "boundaries", "returns", "generator", "seed", "units", "licence", "note")
_BOUNDARY_KEYS = ("file", "crs", "layer", "code_column", "name_column")
_RETURN_KEYS = ("folder", "as_of")
_RETURN_SUFFIXES = (".xlsx", ".xlsm", ".xls", ".csv")
_SILENT_SUFFIXES = (".md", ".txt", ".dbf", ".shx", ".prj", ".cpg", ".qpj", ".sbn", ".sbx")
_FAULTS_LISTED = 20


@dataclass(frozen=True)
class _Sources:
    """What a data folder declares about itself in ``sources.yaml``."""

    boundaries: Mapping[str, str] = field(default_factory=dict)
    returns: str = "returns"
    as_of: dt.date | None = None


@dataclass
class _Reader:
    """State of reading one folder."""

    data: Path
    parameters: ParameterSet
    progress: Progress
    keys: KeyRing | None
    sandbox: Sandbox
    wanted: frozenset[str] = frozenset(TABLES)
    issues: list[Issue] = field(default_factory=list)
    parts: list[pl.DataFrame] = field(default_factory=list)
    batches: dict[str, list[Batch]] = field(default_factory=dict)
    inputs: list[InputFile] = field(default_factory=list)
    maps: list[Path] = field(default_factory=list)
    counts: list[dict[str, str | int]] = field(default_factory=list)
    places: list[ColumnPlace] = field(default_factory=list)
    quarantine: dict[str, pd.DataFrame] = field(default_factory=dict)

    def name(self, path: Path) -> str:
        return path.relative_to(self.data).as_posix()

    def add(self, batch: Batch) -> None:
        self.batches.setdefault(batch.table.name, []).append(batch)


def read_folder(
    data: Path,
    parameters: ParameterSet,
    *,
    keys: KeyRing | None = None,
    only: Collection[str] | None = None,
    progress: Progress | None = None,
) -> Intake:
    """Read a data folder: flat tables and township returns.

    Parameters
    ----------
    data
        Folder with ``tables/`` (or tables lying in the folder itself), ``returns/`` and ``sources.yaml``, as
        described in ``docs/returns_format.md``.
    parameters
        Parameters whose framework declares the metrics of ``facts`` and their bounds.
    keys
        Keys of the organisation office, under which people are registered; without them register forms are
        checked and not loaded.
    only
        Names of the tables that are wanted, all by default. Flat files of tables that neither are wanted nor
        referred to by those, and boundaries, are left unread; returns hold several tables and are read.
    progress
        Called with a Chinese label, the step reached and the number of steps.

    Returns
    -------
    Intake
        Good rows, boundaries, report, quarantine, account of rows and digests of the files.

    Raises
    ------
    UsageError
        If there is no such folder.
    DataError
        If the folder holds no usable ``units`` table, or its boundaries have no usable reference system.
        Anything less is a line of the report.

    Notes
    -----
    Files are read in the order of their names, tables before returns. Rows with equal keys are treated as
    :func:`huanjie_lib.intake.checks.check` says, so a return never overwrites a table. Each file is read in a
    child process (:mod:`huanjie_lib.intake.sandbox`); one that stops it is refused, and the others are read.
    """
    with Sandbox() as sandbox:
        reader = _opened(data, parameters, sandbox, keys=keys, progress=progress)
        if only is not None:
            reader.wanted = _referred_to(only)
        return _read(reader)


def _referred_to(names: Collection[str]) -> frozenset[str]:
    """Return tables with all that their rows are checked against."""
    found = {*names, *(name for name, table in TABLES.items() if table.purpose == "reference")}
    while more := {reference.table for name in found for reference in TABLES[name].references} - found:
        found |= more
    return frozenset(found)


def _read(reader: _Reader) -> Intake:
    sources = _read_sources(reader)
    tables, returns = _list_files(reader, sources)
    if len(reader.wanted) < len(TABLES):
        tables = [(path, table) for path, table in tables if table.name in reader.wanted]
        reader.maps, sources = [], replace(sources, boundaries={})
    steps = len(tables) + len(returns) + len(TABLES) + 1
    reader.sandbox.start()
    _read_tables(reader, tables, steps)
    mappings = _read_mappings(reader, sources, returns)
    sheets = SheetReader(reader.parameters.framework, as_of=sources.as_of, mappings=mappings)
    for path, read in _each_return(reader, returns, partial(_load_return, sheets), len(tables), steps):
        reader.inputs.append(digest(path, reader.name(path)))
        if read is not None:
            _take_return(reader, path, *read)
    _require_units(reader)
    maps = _open_maps(reader, sources)  # in the worker, while the tables are checked here
    frames, context = _check_all(reader, step=len(tables) + len(returns), steps=steps)
    reader.progress("读取边界", steps - 1, steps)
    boundaries = _read_maps(reader, maps, frames["units"], context)
    reader.progress("读取完成", steps, steps)
    return Intake(
        tables=frames,
        boundaries=boundaries,
        issues=report_frame([*reader.parts, issue_frame(reader.issues)]),
        quarantine=reader.quarantine,
        counts=_counts(reader.counts),
        inputs=tuple(sorted(reader.inputs, key=lambda i: i.path)),
        columns=place_frame(reader.places),
    )


def survey_returns(
    data: Path, parameters: ParameterSet, *, progress: Progress | None = None
) -> tuple[list[Survey], Mappings, str]:
    """Look through the returns of a data folder for headings that mean nothing.

    Returns
    -------
    tuple
        The sheets that have such headings, in the order of files; the confirmed mappings; and the folder of
        the returns relative to the data folder. A return that cannot be read has none; ``huanjie check``
        reports it.

    Raises
    ------
    UsageError, DataError
        As :func:`read_folder`.
    """
    with Sandbox() as sandbox:
        reader = _opened(data, parameters, sandbox, progress=progress)
        sources = _read_sources(reader)
        _, returns = _list_files(reader, sources)
        mappings = _read_mappings(reader, sources, returns)
        sheets = SheetReader(parameters.framework, as_of=sources.as_of, mappings=mappings)
        found: list[Survey] = []
        for _, surveys in _each_return(reader, returns, partial(_survey_return, sheets), 0, len(returns)):
            found += surveys or ()
        return found, mappings, sources.returns


def _opened(
    data: Path,
    parameters: ParameterSet,
    sandbox: Sandbox,
    *,
    keys: KeyRing | None = None,
    progress: Progress | None = None,
) -> _Reader:
    if not data.is_dir():
        raise UsageError(
            "没有这个数据文件夹",
            [Fault("数据文件夹", str(data), "已有的文件夹", "检查路径；可用 huanjie init 生成示例数据")],
        )
    return _Reader(data, parameters, progress or _no_progress, keys, sandbox)


def _read_mappings(reader: _Reader, sources: _Sources, returns: list[Path]) -> Mappings:
    """Read the mappings of the folder; their faults are lines of the report."""
    targets = SheetReader(reader.parameters.framework).targets
    offices = {office_of(reader.name(path), sources.returns) for path in returns}
    mappings, issues, files = read_mappings(reader.data, targets, root=sources.returns, offices=offices)
    reader.issues += issues
    reader.inputs += [digest(path, reader.name(path)) for path in files]
    return mappings


def _no_progress(*_: object) -> None:
    """Report progress to no one."""


# ---------------------------------------------------------------- the folder


def _read_sources(reader: _Reader) -> _Sources:
    path = reader.data / _SOURCES
    if not path.is_file():
        return _Sources()
    reader.inputs.append(digest(path, _SOURCES))
    try:
        content = yaml.safe_load(path.read_bytes())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        found = " ".join(str(error).split())[:120]
        raise _sources_error("", found, "UTF-8 编码的 YAML", "改正该处的书写") from error
    if content is None:
        return _Sources()
    if not isinstance(content, dict):
        raise _sources_error(
            "", type(content).__name__, "键和值组成的 YAML", "参照 docs/returns_format.md 书写"
        )
    for key in content:
        if key not in _SOURCE_KEYS:
            reader.issues.append(
                Issue(
                    IssueLevel.WARNING,
                    found=f"不认得的键 {key}",
                    allowed="、".join(_SOURCE_KEYS),
                    remedy="改正或删除这个键",
                    file=_SOURCES,
                )
            )
    boundaries = _section(content, "boundaries", _BOUNDARY_KEYS)
    returns = _section(content, "returns", _RETURN_KEYS)
    as_of = returns.get("as_of")
    if as_of is not None and (not isinstance(as_of, dt.date) or isinstance(as_of, dt.datetime)):
        raise _sources_error("returns.as_of", str(as_of), "日期，如 2026-10-31", "改正日期")
    for key, value in boundaries.items():
        if not isinstance(value, str):
            raise _sources_error(f"boundaries.{key}", str(value), "文字，如 EPSG:4490", "改正该值")
    folder = returns.get("folder", "returns")
    for where, inner in (("returns.folder", folder), ("boundaries.file", boundaries.get("file", "."))):
        if not isinstance(inner, str) or not (reader.data / inner).resolve().is_relative_to(
            reader.data.resolve()
        ):
            raise _sources_error(where, str(inner), "数据文件夹内的相对路径", "改正路径")
    return _Sources(boundaries=boundaries, returns=folder, as_of=as_of)


def _sources_error(key: str, found: str, allowed: str, remedy: str) -> DataError:
    where = f"{_SOURCES}：{key}" if key else _SOURCES
    return DataError("数据文件夹的声明不能使用", [Fault(where, found, allowed, remedy)])


def _section(content: Mapping[str, Any], key: str, allowed: tuple[str, ...]) -> dict[str, Any]:
    section = content.get(key) or {}
    if not isinstance(section, dict):
        raise _sources_error(key, str(section), "、".join(allowed), "改为键和值")
    unknown = [str(k) for k in section if k not in allowed]
    if unknown:
        raise _sources_error(key, "、".join(unknown), "、".join(allowed), "改正或删除这个键")
    return section


def _list_files(reader: _Reader, sources: _Sources) -> tuple[list[tuple[Path, Table]], list[Path]]:
    """Return table files with their contracts and the returns; report whatever is neither."""
    inner = reader.data / "tables"
    root = inner if inner.is_dir() else reader.data
    tables: list[tuple[Path, Table]] = []
    for path in sorted(p for p in root.iterdir() if p.is_file()):
        stem = path.name.split(".")[0]
        if _is_silent(path) or path.name in (_SOURCES, JUDGMENTS_FILE):
            continue
        if path.suffix.lower() in TABLE_SUFFIXES and stem in TABLES:
            tables.append((path, TABLES[stem]))
        elif path.suffix.lower() in TABLE_SUFFIXES and stem == BOUNDARIES:
            reader.maps.append(path)
        else:
            reader.issues.append(_stray(reader, path))
    if root == inner:
        stray = [
            p
            for p in sorted(reader.data.iterdir())
            if p.is_file() and p.suffix.lower() in TABLE_SUFFIXES and p.name != JUDGMENTS_FILE
        ]
        reader.issues += [_stray(reader, p) for p in stray]
    returns = []
    folder = reader.data / sources.returns
    for path in sorted(p for p in folder.rglob("*") if p.is_file()) if folder != reader.data else []:
        if _is_silent(path):
            continue
        if path.suffix.lower() in _RETURN_SUFFIXES:
            returns.append(path)
        else:
            reader.issues.append(
                Issue(
                    IssueLevel.WARNING,
                    found=f"没有读取的文件（{path.suffix or '没有扩展名'}）",
                    allowed="、".join(_RETURN_SUFFIXES),
                    remedy="报送数据另存为 .xlsx；其他文件移出 returns 文件夹",
                    file=reader.name(path),
                )
            )
    if not tables and not returns:
        raise DataError(
            "数据文件夹里没有可用的数据",
            [
                Fault(
                    str(reader.data),
                    "没有数据文件",
                    "tables/ 下的数据表和 returns/ 下的报送表",
                    "检查路径；可用 huanjie init 生成示例数据作对照",
                )
            ],
        )
    return tables, returns


def _is_silent(path: Path) -> bool:
    """Whether a file is plainly no data: hidden, a lock file of a spreadsheet program, a note, a sidecar."""
    return path.name.startswith((".", "~$")) or path.suffix.lower() in _SILENT_SUFFIXES


def _stray(reader: _Reader, path: Path) -> Issue:
    return Issue(
        IssueLevel.WARNING,
        found="不属于任何数据表的文件，未读取",
        allowed=f"文件名为数据表名：{'、'.join(TABLES)}、{BOUNDARIES}；扩展名为 {'、'.join(TABLE_SUFFIXES)}",
        remedy="改为数据表名并放在 tables/ 下；镇街报送的表放在 returns/ 下；不需要的移出数据文件夹",
        file=reader.name(path),
    )


# ---------------------------------------------------------------- files


def _refused(reader: _Reader, error: DataError, table: str = "") -> None:
    """Turn the refusal of one file into lines of the report."""
    reader.issues += [
        Issue(
            IssueLevel.ERROR,
            found=fault.found,
            allowed=fault.allowed,
            remedy=fault.remedy,
            table=table,
            file=fault.where,
        )
        for fault in error.faults
    ]


def _read_tables(reader: _Reader, tables: Sequence[tuple[Path, Table]], steps: int) -> None:
    units = known_units(reader.parameters.framework.metrics)
    answers = reader.sandbox.each(
        Job(
            reader.name(path),
            partial(_load_table, path, reader.name(path), contract, table_names(contract, units)),
        )
        for path, contract in tables
    )
    for step, (path, contract) in enumerate(tables):
        file = reader.name(path)
        reader.progress(f"读取 {file}", step, steps)
        reader.inputs.append(digest(path, file))
        answer = next(answers)
        if isinstance(answer, DataError):
            _refused(reader, answer, contract.name)
            continue
        batch, issues, has_map, places = answer
        reader.issues += issues
        reader.places += places
        reader.add(replace(batch, table=contract))
        if contract.name == "units" and has_map:
            reader.maps.append(path)


def _load_table(
    path: Path, file: str, contract: Table, names: Names
) -> tuple[Batch, list[Issue], bool, list[ColumnPlace]]:
    """Read a table file, whether it holds boundaries too, and where its columns stand; runs in the worker."""
    check_kind(path, file)
    batch, issues = read_table(path, file, contract, names)
    return batch, issues, has_geometry(path), column_places(path, file, contract, names)


def _each_return(
    reader: _Reader, returns: Sequence[Path], load: Callable[[Path, str], Any], first: int, steps: int
) -> Iterator[tuple[Path, Any]]:
    """Read the returns in their order; ``None`` and lines of the report where one is refused."""
    files = [reader.name(path) for path in returns]
    answers = reader.sandbox.each(
        Job(file, partial(load, path, file)) for path, file in zip(returns, files, strict=True)
    )
    for step, (path, file) in enumerate(zip(returns, files, strict=True), start=first):
        reader.progress(f"读取 {file}", step, steps)
        answer = next(answers)
        if isinstance(answer, DataError):
            _refused(reader, answer)
            yield path, None
        else:
            yield path, answer


def _open_return(path: Path, file: str) -> Book:
    return Book((read_csv_grid(path, file),)) if path.suffix.lower() == ".csv" else read_workbook(path, file)


def _load_return(
    sheets: SheetReader, path: Path, file: str
) -> tuple[tuple[str, ...], list[tuple[str, Reading]]]:
    """Return what a return carries besides cells and what each of its sheets gave; runs in the worker."""
    book = _open_return(path, file)
    return book.carried, [(g.sheet, sheets.read(g, name=_sheet_name(g, path))) for g in book.grids]


def _survey_return(sheets: SheetReader, path: Path, file: str) -> list[Survey]:
    """Return the sheets of a return that have headings which mean nothing; runs in the worker."""
    surveys = [sheets.survey(g, name=_sheet_name(g, path)) for g in _open_return(path, file).grids]
    return [survey for survey in surveys if survey is not None]


def _take_return(
    reader: _Reader, path: Path, carried: Sequence[str], readings: Sequence[tuple[str, Reading]]
) -> None:
    file = reader.name(path)
    if carried:
        reader.issues.append(
            Issue(
                IssueLevel.WARNING,
                found=f"工作簿里有{'、'.join(carried)}：没有打开也没有运行，只读取了单元格",
                allowed="只含单元格的工作簿",
                remedy="向填报人问清来由；确认无用的删除后另存为 .xlsx",
                file=file,
            )
        )
    for sheet, reading in readings:
        reader.issues += reading.issues
        reader.places += reading.places
        for batch in reading.batches:
            reader.add(replace(batch, table=_contract(batch.table.name)))
        if reading.passed_by:
            reader.counts.append(_passed_by(file, sheet, reading))
    if not any(reading.batches for _, reading in readings):
        reader.issues.append(
            Issue(
                IssueLevel.ERROR,
                found="没有可用的报送数据",
                allowed="按报送模板填写的工作表",
                remedy="对照报送模板检查工作表名称和列标题后重报",
                file=file,
            )
        )


def _contract(name: str) -> Table:
    """Return the contract itself: what comes out of the worker is a copy of it."""
    return REGISTER_FORM if name == REGISTER_FORM.name else TABLES[name]


def _passed_by(file: str, sheet: str, reading: Reading) -> dict[str, str | int]:
    """Account for the rows of a sheet that belong to no table."""
    rows = sum(reading.passed_by.values())
    reason = "；".join(f"{why} {count}" for why, count in reading.passed_by.items())
    return {
        "file": file,
        "sheet": sheet,
        "table": "",
        "unit": "行",
        "read": rows,
        "loaded": 0,
        "quarantined": 0,
        "dropped": rows,
        "reason": reason,
    }


def _sheet_name(grid: Grid, path: Path) -> str:
    """Return what tells which table a sheet is; a CSV file is named 镇街名称_表名."""
    return grid.sheet or path.stem.rpartition("_")[2]


# ---------------------------------------------------------------- tables


def _require_units(reader: _Reader) -> None:
    batches = reader.batches.get("units", [])
    if any(b.raw.height and not b.refused for b in batches):
        return
    faults = [i.fault() for b in batches for i in b.refused]
    faults += [i.fault() for i in reader.issues if i.table == "units" and i.severity == IssueLevel.ERROR]
    if not faults:
        faults = [
            Fault(
                str(reader.data),
                "没有村(社区)名录" if not batches else "村(社区)名录没有数据行",
                "tables/units.parquet、units.csv 或 units.gpkg",
                "放入村(社区)名录；文件名须为 units",
            )
        ]
    raise DataError("没有可用的村(社区)名录，其他数据无从核对", faults[:_FAULTS_LISTED])


def _check_all(reader: _Reader, *, step: int, steps: int) -> tuple[dict[str, pd.DataFrame], Context]:
    """Check all tables, referenced ones first, which is the order of the contracts."""
    context = Context(reader.parameters.framework.metrics)
    frames: dict[str, pd.DataFrame] = {}
    for number, (name, contract) in enumerate(TABLES.items()):
        if name == "people":
            _register(reader, context)
        batches = reader.batches.pop(name, None)
        if batches is None:
            continue
        reader.progress(f"核对{contract.label}", step + number, steps)
        checked = check(contract, batches, context)
        if name == "units" and not checked.rows.height:
            raise _no_good_units(checked)
        reader.parts += checked.issues
        reader.counts += checked.counts
        if checked.quarantine.height:
            reader.quarantine[name] = plain_frame(checked.quarantine)
        context = _extended(context, name, checked.rows)
        frames[name] = to_pandas(checked.rows, contract)
    if "facts" not in frames and reader.parameters.framework.metrics:
        reader.issues.append(
            Issue(
                IssueLevel.ERROR,
                found=f"没有“{table_label('facts')}”表",
                allowed="tables/facts.parquet、facts.csv，或 returns/ 下的基本情况表",
                remedy="补充基础数据；缺少时所有基础指标都按缺失计算",
                table="facts",
            )
        )
    return frames, context


def _register(reader: _Reader, context: Context) -> None:
    """Turn register forms into rows of the tables of people, beside those the folder holds already."""
    forms = reader.batches.pop(REGISTER, [])
    held = {name: reader.batches.get(name, []) for name in ("people", "people_protected", "identities")}
    done, kept = settle(forms, held, context, reader.keys)
    for name, batches in kept.items():
        joined = [*batches, *done.batches.get(name, [])]
        if joined:
            reader.batches[name] = joined
    reader.issues += done.issues
    reader.counts += done.counts
    if done.quarantine is not None:
        reader.quarantine[REGISTER] = done.quarantine


def _no_good_units(checked: Checked) -> DataError:
    lines = pl.concat(checked.issues).filter(pl.col("severity") == IssueLevel.ERROR.value)
    faults = [
        Issue(**{**row, "severity": IssueLevel.ERROR}).fault()
        for row in lines.head(_FAULTS_LISTED).iter_rows(named=True)
    ]
    return DataError("村(社区)名录没有一行可用", faults)


def _extended(context: Context, name: str, rows: pl.DataFrame) -> Context:
    """Return the context with what later tables need of this one."""
    wanted = {(r.table, r.target) for t in TABLES.values() for r in t.references if r.table == name}
    known = {key: rows[key[1]].drop_nulls().unique() for key in wanted}
    context = replace(context, known={**context.known, **known})
    if name == "units":
        names = dict(zip(rows["unit_code"], rows["unit_name"], strict=True))
        return replace(context, unit_names=names)
    if name == "crosswalk":
        found = recoding(rows, context.unit_names)
        return replace(context, recode=found.codes, doubtful=found.doubtful)
    return context


def _counts(counts: list[dict[str, str | int]]) -> pd.DataFrame:
    """Return the account of rows, one row per file, sheet and table."""
    frame = pl.DataFrame(
        counts,
        schema={name: pl.Int64 if name in COUNTED else pl.String for name in COUNT_COLUMNS},
    )
    total = frame.group_by("file", "sheet", "table", "unit", maintain_order=True).agg(
        pl.col(COUNTED).sum(),
        pl.col("reason").filter(pl.col("reason") != "").str.join("；"),
    )
    total = total.sort("file", "sheet", "table", maintain_order=True).select(list(COUNT_COLUMNS))
    return plain_frame(total).astype(dict.fromkeys(COUNTED, "int64"))


# ---------------------------------------------------------------- boundaries


def _open_maps(reader: _Reader, sources: _Sources) -> Iterator[Any]:
    """Begin to read the boundary files."""
    options: dict[str, str | None] = {"crs": None, **sources.boundaries}
    file = options.pop("file", None)
    if file is not None:
        if not (reader.data / file).is_file():
            raise _sources_error(
                "boundaries.file", file, "数据文件夹中的边界文件", "改正文件名，或放入该文件"
            )
        reader.maps = [reader.data / file]
    names = [reader.name(path) for path in reader.maps]
    return reader.sandbox.each(
        [Job(n, partial(_load_map, path, n, options)) for path, n in zip(reader.maps, names, strict=True)]
    )


def _load_map(path: Path, file: str, options: Mapping[str, Any]) -> tuple[gpd.GeoDataFrame, list[Issue]]:
    """Read a boundary file; runs in the worker."""
    check_kind(path, file)
    from huanjie_lib.intake.boundaries import (
        read_boundaries,
    )  # costs a second; folders without maps don't pay

    return read_boundaries(path, file=file, **options)


def _read_maps(
    reader: _Reader, answers: Iterator[Any], units: pd.DataFrame, context: Context
) -> gpd.GeoDataFrame | None:
    """Take in the boundaries of loaded units; each feature is accounted for."""
    if not reader.maps:
        return None
    import geopandas as gpd  # as above

    from huanjie_lib.intake.boundaries import CRS

    parts = []
    for path, answer in zip(reader.maps, answers, strict=True):
        name = reader.name(path)
        if all(i.path != name for i in reader.inputs):
            reader.inputs.append(digest(path, name))
        if isinstance(answer, CrashError):
            _refused(reader, answer, BOUNDARIES)
            continue
        if isinstance(answer, DataError):
            raise answer
        frame, issues = answer
        reader.issues += issues
        parts.append(frame.assign(file=name, row=range(1, len(frame) + 1)))
    if not parts:
        return None
    whole = gpd.GeoDataFrame(pd.concat(parts, ignore_index=True), crs=CRS)
    whole["unit_code"] = whole["unit_code"].replace(dict(context.recode))
    good = _account_for_maps(reader, whole, set(units["unit_code"]))
    lacking = int((~units["unit_code"].isin(whole["unit_code"])).sum())
    if lacking:
        reader.issues.append(
            Issue(
                IssueLevel.WARNING,
                found=f"{lacking} 个村（社区）没有边界",
                allowed="每个村（社区）一个面状边界",
                remedy="补充边界；在补充之前，地图上按经纬度画点",
                table=BOUNDARIES,
                label="边界",
            )
        )
    return good


def _account_for_maps(reader: _Reader, whole: gpd.GeoDataFrame, units: set[str]) -> gpd.GeoDataFrame:
    area = whole.geometry.notna()
    repeated = whole["unit_code"].duplicated(keep=False) & whole["unit_code"].notna()
    unknown = ~whole["unit_code"].isin(units)
    reasons = pd.Series("", index=whole.index, dtype="str")
    reasons[repeated] = "同一代码有几个边界；合并为一个多部件要素"
    reasons[unknown] = "代码不在村(社区)名录中；核对代码"
    reasons[whole["unit_code"].isna()] = "没有区划代码；补填代码"
    refused = reasons != ""
    table_files = {reader.name(p) for p in reader.maps if p.name.split(".")[0] == "units"}
    for file, rows in whole.groupby("file", sort=True):
        bad = rows[refused[rows.index]]
        if file in table_files:
            bad = bad[repeated[bad.index]]  # a row of units without a good code is reported as a row
        reader.issues += [
            Issue(
                IssueLevel.ERROR,
                found=str(code) if not pd.isna(code) else "（空）",
                allowed="村(社区)名录中的代码，每个代码一个边界",
                remedy=reasons[index],
                table=BOUNDARIES,
                file=str(file),
                row=int(row),
                column="unit_code",
                label="统计用区划代码",
            )
            for index, code, row in zip(bad.index, bad["unit_code"], bad["row"], strict=True)
        ]
        if file in table_files:
            continue
        reader.counts.append(
            {
                "file": str(file),
                "sheet": "",
                "table": BOUNDARIES,
                "unit": "要素",
                "read": len(rows),
                "loaded": int((~refused & area)[rows.index].sum()),
                "quarantined": len(bad),
                "dropped": int((~refused & ~area)[rows.index].sum()),
                "reason": f"没有面状边界 {n}" if (n := int((~refused & ~area)[rows.index].sum())) else "",
            }
        )
    _set_maps_aside(reader, whole, refused & ~whole["file"].isin(table_files), reasons)
    kept = whole.loc[~refused & area, ["unit_code", "geometry"]]
    return kept.sort_values("unit_code", ignore_index=True)


def _set_maps_aside(
    reader: _Reader, whole: gpd.GeoDataFrame, which: pd.Series[bool], reasons: pd.Series[str]
) -> None:
    if which.any():
        rows = whole.loc[which]
        reader.quarantine[BOUNDARIES] = pd.DataFrame(
            {
                "unit_code": rows["unit_code"],
                "unit_name": rows["unit_name"],
                "source_file": rows["file"].astype("str"),
                "source_sheet": pd.Series("", index=rows.index, dtype="str"),
                "source_row": rows["row"].astype("Int64"),
                "reasons": reasons[rows.index],
            }
        ).reset_index(drop=True)
