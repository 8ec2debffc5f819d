"""From rows as they stand in files to good rows, refused rows and the reasons.

All rules of a contract are checked on whole columns: types and required values, bounds, order of columns,
references to other tables, and keys. A row with any fault is set aside whole and untouched; a fault names
the place, what was found, what is allowed and what to do. Nothing is lost: each row read ends among the good
rows, in quarantine, or among the rows dropped with a stated reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import and_
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import polars as pl

from huanjie_lib.contracts import SOURCE_COLUMNS, Column, Order, Reference, Table
from huanjie_lib.intake import guard
from huanjie_lib.intake.headings import metric_lookup
from huanjie_lib.intake.merging import merged_advice
from huanjie_lib.intake.report import Issue, IssueLevel, issue_frame, table_label
from huanjie_lib.intake.values import BLANKS, WHOLES, Flaw, found_texts, parse, remedy
from huanjie_lib.parameters import Metric

__all__ = ["Batch", "Checked", "Context", "check", "to_pandas"]

DUPLICATE: Final = "与前面的行完全相同"
"""Reason under which a repeated row is dropped."""

_CATEGORICAL: Mapping[str, frozenset[str]] = {
    "facts": frozenset({"unit_code", "metric", "source_file", "source_sheet"})
}
_DTYPES: Mapping[str, pl.DataType] = {
    "string": pl.String(),
    "word": pl.String(),
    "integer": pl.Int64(),
    "number": pl.Float64(),
    "date": pl.Datetime("us"),
    "boolean": pl.Boolean(),
}
_FAULT_SCHEMA = pl.Schema(
    {
        "id": pl.UInt32,
        "column": pl.String,
        "label": pl.String,
        "found": pl.String,
        "allowed": pl.String,
        "remedy": pl.String,
    }
)
_MOST_LINES: Final = 1_000
_MOST_REASONS: Final = 20
_KIND_SUFFIX = r"(?:村民委员会|居民委员会|村委会|居委会|村|社区)+$"


@dataclass(frozen=True)
class Batch:
    """Rows of one file or sheet on their way into one table.

    Parameters
    ----------
    table
        Contract of the table.
    file, sheet
        Place; ``file`` is relative to the data folder.
    raw
        Cells as they stand in the file, under contract column names; may lack columns.
    rows
        Row number of each row as the clerk sees it, shape (n,).
    scales
        Factors from the unit in a heading to the unit of the column, one or one per row.
    dropped
        Rows already left out, by reason.
    unit
        What is counted: 行, or 单元格 for wide sheets.
    names
        Names of units written beside their codes, shape (n,), to find codes of the wrong unit.
    refused
        Why none of the rows can be used; empty when they can.
    faults
        What is wrong with single rows apart from the values in them, by place in ``raw`` from 0.
    """

    table: Table
    file: str
    sheet: str
    raw: pl.DataFrame
    rows: pl.Series
    scales: Mapping[str, float | pl.Series] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    unit: str = "行"
    names: pl.Series | None = None
    refused: tuple[Issue, ...] = ()
    faults: Mapping[int, Issue] = field(default_factory=dict)


@dataclass(frozen=True)
class Context:
    """What rows are checked against besides their own contract.

    Parameters
    ----------
    metrics
        Metrics of the framework, for ``facts``.
    known
        Good values by table and column, for references; a table that is absent was not supplied.
    recode
        Confirmed changes of code, old → new.
    doubtful
        Old codes that cannot be replaced → why.
    unit_names
        Name of each unit by code.
    """

    metrics: Mapping[str, Metric]
    known: Mapping[tuple[str, str], pl.Series] = field(default_factory=dict)
    recode: Mapping[str, str] = field(default_factory=dict)
    doubtful: Mapping[str, str] = field(default_factory=dict)
    unit_names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Checked:
    """One table after its checks.

    Parameters
    ----------
    rows
        Good rows with typed contract and source columns, in the order of files and rows.
    issues
        Parts of the report.
    quarantine
        Refused rows as text, with place and reasons.
    counts
        Account of the rows, one entry per batch.
    """

    rows: pl.DataFrame
    issues: tuple[pl.DataFrame, ...]
    quarantine: pl.DataFrame
    counts: tuple[dict[str, str | int], ...]


@dataclass
class _Work:
    """State of one check: all readable rows of a table, and what was found wrong with them."""

    table: Table
    batches: Sequence[Batch]
    context: Context
    frame: pl.DataFrame
    starts: npt.NDArray[np.int64]
    faults: list[pl.DataFrame]
    bad: npt.NDArray[np.bool_]
    dropped: npt.NDArray[np.bool_]
    issues: list[Issue]
    warnings: list[tuple[IssueLevel, pl.DataFrame]]
    former: dict[int, str] = field(default_factory=dict)  # row → old code that was replaced

    def refuse(self, faults: pl.DataFrame) -> None:
        if faults.height:
            self.faults.append(faults.select(_FAULT_SCHEMA.names()).cast(_FAULT_SCHEMA).rechunk())
            self.bad[faults["id"].to_numpy()] = True

    def good(self) -> pl.DataFrame:
        return self.frame.filter(pl.Series(~(self.bad | self.dropped)))

    def note(self, column: Column, ids: npt.NDArray[np.int64], text: str) -> None:
        """Report once for each file and sheet how many of the rows ``ids`` were read in another form."""
        numbers, counts = np.unique(self.batch_of(ids), return_counts=True)
        for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
            batch = self.batches[number]
            self.issues.append(
                Issue(
                    IssueLevel.NOTE,
                    found=f"{count} {text}",
                    allowed=column.allowed(),
                    remedy="无需处理；如读取有误，请更正原表",
                    table=self.table.name,
                    file=batch.file,
                    sheet=batch.sheet,
                    column=column.name,
                    label=column.label,
                )
            )

    def batch_of(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return np.searchsorted(self.starts, ids, side="right") - 1


def check(table: Table, batches: Sequence[Batch], context: Context) -> Checked:
    """Check all rows of one table.

    Parameters
    ----------
    table
        Contract.
    batches
        Its rows by file and sheet. The order matters for rows with equal keys: the earlier file stands.
    context
        What the rows are checked against.

    Notes
    -----
    Rows with equal keys: identical ones are kept once and the others dropped; different ones within one file
    are all set aside; a row that differs from one of an earlier file is set aside and the earlier one stands.

    Examples
    --------
    >>> from huanjie_lib.contracts import table
    >>> raw = pl.DataFrame({"unit_code": ["990101001201", "9901"], "as_of": ["2026-10-31"] * 2,
    ...                     "metric": ["households"] * 2, "value": ["300", "310"]})
    >>> from huanjie_lib.parameters import load_parameters
    >>> facts = table("facts")
    >>> checked = check(facts, [Batch(facts, "a.csv", "", raw, pl.Series([2, 3]))],
    ...                 Context(load_parameters().framework.metrics))
    >>> checked.rows.height, checked.quarantine["reasons"].item()
    (1, '统计用区划代码：发现“9901”，应为：12 位数字的统计用区划代码，核对后改正；代码列须设为文本格式')
    """
    usable = [b for b in batches if not b.refused]
    work = _read(table, usable, context)
    if table.name == "facts":
        _check_metrics(work)
    for order in table.orders:
        _check_order(work, order)
    _recode(work)
    for reference in table.references:
        _check_reference(work, reference)
    _check_keys(work)
    if table.name == "units":
        _warn_units(work)
    _warn_names(work)
    return _finish(work, batches)


# ---------------------------------------------------------------- reading


def _read(table: Table, batches: Sequence[Batch], context: Context) -> _Work:
    sizes = [b.raw.height for b in batches]
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)[:-1]
    total = sum(sizes)
    work = _Work(
        table=table,
        batches=batches,
        context=context,
        frame=pl.DataFrame(),
        starts=starts,
        faults=[],
        bad=np.zeros(total, dtype=np.bool_),
        dropped=np.zeros(total, dtype=np.bool_),
        issues=[],
        warnings=[],
    )
    for batch, start in zip(batches, starts.tolist(), strict=True):
        if batch.faults:
            work.refuse(_faults_of_rows(batch.faults, start))
    parts = []
    for group, first, last in _runs(batches):
        rows = slice(int(starts[first]), int(starts[first]) + group.height)
        parts.append(_read_columns(work, group, _scales(batches[first:last]), rows))
    # one chunk: polars 2.1 panics in pl.format over columns whose chunks differ
    work.frame = pl.concat(parts, rechunk=True) if parts else _empty(table)
    return work


def _runs(batches: Sequence[Batch]) -> Iterator[tuple[pl.DataFrame, int, int]]:
    """Join neighbouring batches of text, so that a hundred small sheets are read as one."""
    first = 0
    while first < len(batches):
        last = first + 1
        if _is_text(batches[first]):
            while last < len(batches) and _is_text(batches[last]):
                last += 1
        raws = [_with_sources(b) for b in batches[first:last]]
        yield pl.concat(raws, how="diagonal", rechunk=True), first, last
        first = last


def _is_text(batch: Batch) -> bool:
    return all(dtype == pl.String for dtype in batch.raw.dtypes)


def _scales(batches: Sequence[Batch]) -> dict[str, pl.Series]:
    """Return one factor per row for each column of which some batch counts in another unit."""
    return {
        name: pl.concat(
            [
                scale
                if isinstance(scale := b.scales.get(name, 1.0), pl.Series)
                else pl.repeat(scale, b.raw.height, dtype=pl.Float64, eager=True)
                for b in batches
            ]
        )
        for name in {n for b in batches for n in b.scales}
    }


def _with_sources(batch: Batch) -> pl.DataFrame:
    """Return the cells with the source columns: those the file carries, else its own place."""
    own = pl.DataFrame(
        {
            "source_file": pl.repeat(batch.file, batch.raw.height, dtype=pl.String, eager=True),
            "source_sheet": pl.repeat(batch.sheet, batch.raw.height, dtype=pl.String, eager=True),
            "source_row": batch.rows.cast(pl.Int64),
        }
    )
    carried = [
        pl.coalesce(batch.raw[name].cast(own.schema[name], strict=False), pl.col(name)).alias(name)
        for name in own.columns
        if name in batch.raw.columns
    ]
    return batch.raw.drop(own.columns, strict=False).hstack(own.with_columns(carried))


def _columns(table: Table) -> list[Column]:
    return [c for c in table.columns if c.kind != "geometry"]


def _empty(table: Table) -> pl.DataFrame:
    columns = [*_columns(table), *SOURCE_COLUMNS]
    return pl.DataFrame(schema={"_id": pl.UInt32, **{c.name: _DTYPES[c.kind] for c in columns}})


def _read_columns(
    work: _Work, raw: pl.DataFrame, scales: Mapping[str, pl.Series], rows: slice
) -> pl.DataFrame:
    """Read all columns of joined batches; ``rows`` is their place among all rows of the table."""
    ids = pl.arange(rows.start, rows.stop, dtype=pl.UInt32, eager=True).alias("_id")
    read = [ids]
    for column in _columns(work.table):
        if column.name not in raw.columns:
            read.append(
                pl.repeat(None, raw.height, dtype=_DTYPES[column.kind], eager=True).alias(column.name)
            )
            if column.required:
                work.refuse(_faults(ids, column, "（空）", remedy(Flaw.MISSING)))
            continue
        cells = raw[column.name]
        is_metric = work.table.name == "facts" and column.name == "metric"
        parsed = parse(
            cells,
            column,
            lookup=metric_lookup(work.context.metrics) if is_metric else None,
            scale=scales.get(column.name, 1.0),
            whole=_wholes(work, raw) if work.table.name == "facts" and column.name == "value" else None,
        )
        read.append(parsed.values.alias(column.name))
        flaws = parsed.flaws
        if column.required:
            absent = (flaws == 0) & parsed.values.is_null()
            flaws = (flaws + absent.cast(pl.UInt8) * int(Flaw.MISSING)).cast(pl.UInt8)
        where = flaws > 0
        if where.any():
            bad_flaws = flaws.filter(where)
            found = found_texts(cells.filter(where), bad_flaws, column, of_people=work.table.personal)
            remedies = bad_flaws.replace_strict(
                {int(f): remedy(f) for f in Flaw if f}, return_dtype=pl.String
            )
            work.refuse(_faults(ids.filter(where), column, found, remedies))
        for note, mask in parsed.notes.items():
            work.note(column, rows.start + np.flatnonzero(mask), f"个单元格：{note.label}")
    return pl.DataFrame([*read, *(raw[c.name] for c in SOURCE_COLUMNS)])


def _faults_of_rows(faults: Mapping[int, Issue], start: int) -> pl.DataFrame:
    texts = {
        name: [getattr(i, name) for i in faults.values()] for name in _FAULT_SCHEMA.names() if name != "id"
    }
    return pl.DataFrame({"id": [start + place for place in faults], **texts}, schema=_FAULT_SCHEMA)


def _wholes(work: _Work, raw: pl.DataFrame) -> pl.Series | None:
    """Return what a whole is in the unit of each row's metric, null where it is no share."""
    shares = {n: WHOLES[m.unit] for n, m in work.context.metrics.items() if m.unit in WHOLES}
    if not shares or "metric" not in raw.columns:
        return None
    of_spelling = {
        text: shares[name] for text, name in metric_lookup(work.context.metrics).items() if name in shares
    }
    metric = raw["metric"].cast(pl.String).str.strip_chars(BLANKS)
    return metric.replace_strict(of_spelling, default=None, return_dtype=pl.Float64)


def _faults(
    ids: pl.Series,
    column: Column,
    found: str | pl.Series,
    remedies: str | pl.Series,
    allowed: str | pl.Series | None = None,
) -> pl.DataFrame:
    def texts(value: str | pl.Series) -> pl.Series:
        if isinstance(value, pl.Series):
            return value
        return pl.repeat(value, len(ids), dtype=pl.String, eager=True)

    return pl.DataFrame(
        {
            "id": ids,
            "column": texts(column.name),
            "label": texts(column.label),
            "found": texts(found),
            "allowed": texts(allowed if allowed is not None else column.allowed()),
            "remedy": texts(remedies),
        }
    )


# ---------------------------------------------------------------- rules


def _number_text(value: pl.Expr) -> pl.Expr:
    """Return numbers as people write them: 300, not 300.0."""
    whole = value == value.round()
    return (
        pl.when(whole & (value.abs() < 2**53))
        .then(value.cast(pl.Int64, strict=False).cast(pl.String))
        .otherwise(value.cast(pl.String))
    )


def _metric_allowed(metric: Metric) -> str:
    """Return in Chinese what values of a metric are allowed."""
    noun = "整数" if metric.integer else "数"
    low, high = (f"{b:,.15g}" if b is not None else "" for b in (metric.minimum, metric.maximum))
    if low and high:
        return f"{low} 到 {high} 之间的{noun}"
    return f"不小于 {low} 的{noun}" if low else f"不大于 {high} 的{noun}" if high else noun


def _check_metrics(work: _Work) -> None:
    """Check each value of ``facts`` against the bounds that the framework declares for its metric."""
    metrics = work.context.metrics
    names = sorted(metrics)
    for number, faults in enumerate(work.faults):
        work.faults[number] = _named_by_metric(faults, work)
    if not names or not work.frame.height:
        return
    codes = work.frame["metric"].cast(pl.Enum(names)).to_physical().cast(pl.UInt32)
    low = pl.Series([m.minimum if m.minimum is not None else -np.inf for m in map(metrics.get, names) if m])
    high = pl.Series([m.maximum if m.maximum is not None else np.inf for m in map(metrics.get, names) if m])
    whole = pl.Series([metrics[n].integer for n in names])
    value = work.frame["value"]
    outside = (value < low.cast(pl.Float64).gather(codes)) | (value > high.cast(pl.Float64).gather(codes))
    fraction = whole.gather(codes) & (value != value.round())
    wrong = (outside | fraction).fill_null(False)
    if not wrong.any():
        return
    allowed = {n: _metric_allowed(metrics[n]) for n in names}
    rows = work.frame.filter(wrong).with_columns(_fraction=fraction.filter(wrong))
    work.refuse(
        rows.select(
            id="_id",
            column="metric",
            label=pl.col("metric").replace_strict({n: metrics[n].label for n in names}),
            found=_number_text(pl.col("value")),
            allowed=pl.col("metric").replace_strict(allowed),
            remedy=pl.when("_fraction")
            .then(pl.lit(remedy(Flaw.NOT_INTEGER)))
            .otherwise(pl.lit(remedy(Flaw.RANGE))),
        )
    )


def _named_by_metric(faults: pl.DataFrame, work: _Work) -> pl.DataFrame:
    """Name faults of values by their metric, as the clerk's sheet heads the column."""
    metrics = work.context.metrics
    of_row = work.frame["metric"].gather(faults["id"])
    frame = faults.with_columns(_metric=pl.when(pl.col("column") == "value").then(of_row))
    known = pl.col("_metric").is_not_null()
    label = pl.col("_metric").replace_strict(
        {n: m.label for n, m in metrics.items()}, default=None, return_dtype=pl.String
    )
    allowed = pl.col("_metric").replace_strict(
        {n: _metric_allowed(m) for n, m in metrics.items()}, default=None, return_dtype=pl.String
    )
    return frame.with_columns(
        column=pl.when(known).then("_metric").otherwise("column"),
        label=pl.coalesce(label, "label"),
        allowed=pl.coalesce(allowed, "allowed"),
    ).drop("_metric")


def _check_order(work: _Work, order: Order) -> None:
    earlier, later = work.table.column(order.earlier), work.table.column(order.later)
    wrong = (work.frame[later.name] < work.frame[earlier.name]).fill_null(False)
    if not wrong.any():
        return
    rows = work.frame.filter(wrong)
    dates = later.kind == "date"

    def text(name: str) -> pl.Expr:
        return pl.col(name).dt.to_string("%Y-%m-%d") if dates else _number_text(pl.col(name))

    bound = "不早于" if dates else "不小于"
    work.refuse(
        rows.select(
            id="_id",
            column=pl.lit(later.name),
            label=pl.lit(later.label),
            found=text(later.name),
            allowed=pl.format("{}“{}”（{}）", pl.lit(bound), pl.lit(earlier.label), text(earlier.name)),
            remedy=pl.lit(f"核对“{earlier.label}”和“{later.label}”，改正其中一项"),
        )
    )


def _recode(work: _Work) -> None:
    """Replace old unit codes for which the crosswalk has a confirmed new one."""
    units = work.context.known.get(("units", "unit_code"))
    if not work.context.recode or units is None or work.table.name in {"units", "crosswalk"}:
        return
    if "unit_code" not in work.frame.columns:
        return
    old = set(work.context.recode) - set(units.to_list())
    where = work.frame["unit_code"].is_in(sorted(old)).fill_null(False)
    if not where.any():
        return
    changes = {code: work.context.recode[code] for code in old}
    replaced = work.frame.filter(where).select("_id", "unit_code")
    work.former = dict(replaced.iter_rows())
    work.frame = work.frame.with_columns(pl.col("unit_code").replace(changes))
    ids = work.frame["_id"].filter(where).to_numpy().astype(np.int64)
    text = "行：旧代码按已确认的区划代码对照换为新代码"
    work.note(work.table.column("unit_code"), ids, text)


def _check_reference(work: _Work, reference: Reference) -> None:
    column, target = work.table.column(reference.column), table_label(reference.table)
    known = work.context.known.get((reference.table, reference.target))
    if known is None:
        if work.frame.height:
            work.issues.append(
                Issue(
                    IssueLevel.WARNING,
                    found=f"没有“{target}”表，未核对“{column.label}”",
                    allowed=f"“{target}”表",
                    remedy=f"补充 {reference.table} 的数据文件后重新检查",
                    table=work.table.name,
                    column=column.name,
                    label=column.label,
                )
            )
        return
    values = work.frame[column.name]
    unknown = values.is_not_null() & ~values.is_in(known.implode())
    if not unknown.any():
        return
    rows = work.frame.filter(unknown)
    found = rows[column.name]
    advice: str | pl.Series = f"核对后改正；如它所在的“{target}”行已被隔离，先改正那一行"
    if reference.table == "units":
        advice = found.replace_strict(
            dict(work.context.doubtful),
            default="核对代码；如为旧代码，先在区划代码对照中补充并确认",
            return_dtype=pl.String,
        )
    work.refuse(_faults(rows["_id"], column, found, advice, f"“{target}”表中已有的{column.label}"))


# ---------------------------------------------------------------- keys


def _check_keys(work: _Work) -> None:
    """Drop repeated rows and set aside rows that contradict one another."""
    good = work.good()
    key = list(work.table.key)
    hashes = good.select(key).hash_rows()
    if hashes.n_unique() == good.height:
        return
    rows = good.filter(hashes.is_duplicated())
    batches = work.batch_of(rows["_id"].to_numpy().astype(np.int64))
    files = pl.Series([b.file for b in work.batches])
    content = [c.name for c in _columns(work.table) if c.name not in work.table.key]
    same = [pl.col(c).eq_missing(pl.col(c).first().over(key)) for c in content]
    rows = rows.with_columns(
        _file=files.gather(batches), _size=pl.len().over(key), _first=pl.col("_id").first().over(key)
    ).filter(pl.col("_size") > 1)
    rows = rows.with_columns(
        _same=reduce(and_, same, pl.lit(True)), _own=pl.col("_file") == pl.col("_file").first().over(key)
    )
    clash = ~pl.col("_same")
    rows = rows.with_columns(
        _quarrel=(clash & pl.col("_own")).any().over(key),
        _rival=pl.col("_id").filter(clash & pl.col("_own")).first().over(key),
    )
    refused = rows.filter(pl.col("_quarrel") | clash).with_columns(
        _other=pl.when(pl.col("_same")).then("_rival").otherwise("_first")
    )
    if refused.height:
        column = work.table.column(key[0])
        shown = [_key_text(work.table.column(k)) for k in key]
        work.refuse(
            _faults(
                refused["_id"],
                column,
                refused.select(pl.concat_str(shown, separator="、").alias("f"))["f"],
                _advice(work, refused),
                f"不重复的{'、'.join(work.table.column(k).label for k in key)}",
            )
        )
    repeated = rows.filter(~pl.col("_quarrel") & pl.col("_same") & (pl.col("_id") != pl.col("_first")))
    if repeated.height:
        work.dropped[repeated["_id"].to_numpy()] = True
        first = _places(work, repeated["_first"], repeated["_id"])
        faults = _faults(
            repeated["_id"],
            work.table.column(key[0]),
            pl.select(pl.format("与{}完全相同", first)).to_series(),
            "已只保留一行；请删去重复的行",
            "不重复的行",
        )
        work.warnings.append((IssueLevel.WARNING, faults))


def _advice(work: _Work, refused: pl.DataFrame) -> pl.Series:
    """Return what to do with rows of one key; of units that have merged, what may be added up."""
    places = _places(work, refused["_other"], refused["_id"])
    plain = pl.select(pl.format("与{}重复而内容不同，核对后只保留一行", places)).to_series()
    if not work.former:
        return plain
    advice = plain.to_list()
    metric = refused["metric"] if work.table.name == "facts" else None
    for n, (own, other) in enumerate(refused.select("_id", "_other").iter_rows()):
        codes = [work.former[row] for row in (own, other) if row in work.former]
        if codes:
            told = merged_advice(work.table, None if metric is None else work.context.metrics.get(metric[n]))
            old = "、".join(dict.fromkeys(codes))
            advice[n] = f"与{places[n]}同属一个单位（旧代码 {old} 已换为新代码），{told}"
    return pl.Series(advice, dtype=pl.String)


def _key_text(column: Column) -> pl.Expr:
    if column.kind == "date":
        return pl.col(column.name).dt.to_string("%Y-%m-%d")
    return pl.col(column.name).cast(pl.String)


def _places(work: _Work, ids: pl.Series, beside: pl.Series) -> pl.Series:
    """Return where rows stand, in words; ``beside`` are the rows in whose messages the words appear."""
    rows, own_rows = ids.to_numpy().astype(np.int64), beside.to_numpy().astype(np.int64)
    places = []
    for row, number, own in zip(rows, work.batch_of(rows), work.batch_of(own_rows), strict=True):
        batch = work.batches[int(number)]
        line = f"第 {batch.rows[int(row - work.starts[number])]} 行"
        sheet = f"工作表“{batch.sheet}”" if batch.sheet else ""
        places.append(f"本表{line}" if number == own else f" {batch.file} {sheet}{line}")
    return pl.Series(places, dtype=pl.String)


# ---------------------------------------------------------------- warnings


def _warn(
    work: _Work, rows: pl.DataFrame, column: str, found: pl.Expr, allowed: pl.Expr, advice: str
) -> None:
    if rows.height:
        contract = work.table.column(column)
        texts = rows.rechunk().select(found=found, allowed=allowed)  # see _read
        faults = _faults(rows["_id"], contract, texts["found"], advice, texts["allowed"])
        work.warnings.append((IssueLevel.WARNING, faults))


def _warn_units(work: _Work) -> None:
    """Warn of codes that don't fit the kind, the name or the township; codes have no check digit."""
    good = work.good()
    tail = pl.col("unit_code").str.slice(9, 3).cast(pl.Int32, strict=False)
    by_code = (
        pl.when(tail.is_between(1, 199))
        .then(pl.lit("社区"))
        .when(tail.is_between(200, 399))
        .then(pl.lit("村"))
    )
    by_name = (
        pl.when(pl.col("unit_name").str.contains("(?:社区|居委会|居民委员会)$"))
        .then(pl.lit("社区"))
        .when(pl.col("unit_name").str.contains("(?:村|村委会|村民委员会)$"))
        .then(pl.lit("村"))
    )
    by_kind = pl.col("unit_kind").replace_strict({"village": "村", "community": "社区"})
    _warn(
        work,
        good.filter(by_code.is_not_null() & (by_code != pl.coalesce(by_name, by_kind))),
        "unit_code",
        pl.col("unit_code"),
        pl.format("末三位与“{}”相符：居委会 001-199，村委会 200-399", pl.coalesce(by_name, by_kind)),
        "核对代码和名称；确认无误可不改",
    )
    _warn(
        work,
        good.filter(tail == 0),
        "unit_code",
        pl.col("unit_code"),
        pl.lit("村(社区)的代码；末三位为 000 的是乡镇街道本身的代码"),
        "改填村(社区)的代码；确认无误可不改",
    )
    _warn(
        work,
        good.filter(by_name != by_kind),
        "unit_kind",
        by_kind,
        pl.format("与名称相符的类别（{}）", by_name),
        "核对类别和名称；确认无误可不改",
    )
    _warn(
        work,
        good.filter(pl.col("unit_code").str.slice(0, 9) != pl.col("township_code")),
        "township_code",
        pl.col("township_code"),
        pl.format("代码前九位（{}）", pl.col("unit_code").str.slice(0, 9)),
        "核对所属镇街；确认无误可不改",
    )


def _warn_names(work: _Work) -> None:
    """Warn where the name beside a code is not the name of that unit: the code may be another unit's."""
    if all(b.names is None for b in work.batches) or "unit_code" not in work.frame.columns:
        return
    written = pl.concat(
        [
            b.names.cast(pl.String)
            if b.names is not None
            else pl.repeat(None, b.raw.height, dtype=pl.String, eager=True)
            for b in work.batches
        ],
        rechunk=True,
    )
    known = pl.col("unit_code").replace_strict(
        dict(work.context.unit_names), default=None, return_dtype=pl.String
    )
    rows = (
        work.frame.with_columns(_written=written.str.replace_all(r"\s", ""), _known=known)
        .filter(pl.Series(~(work.bad | work.dropped)))
        .filter(pl.col("_written") != "")
    )

    def base(name: str) -> pl.Expr:
        return pl.col(name).str.replace_all(_KIND_SUFFIX, "")

    _warn(
        work,
        rows.filter(base("_written") != base("_known")),
        "unit_code",
        pl.format("{}（{}）", "unit_code", "_written"),
        pl.format("代码与名称相符；该代码是“{}”", "_known"),
        "核对代码是否填成了别的村（社区）",
    )


# ---------------------------------------------------------------- account


def _located(work: _Work, faults: pl.DataFrame, level: IssueLevel) -> pl.DataFrame:
    numbers = work.batch_of(faults["id"].to_numpy().astype(np.int64))
    rows = pl.concat([b.rows.cast(pl.Int64) for b in work.batches])
    files = pl.Series([b.file for b in work.batches])
    sheets = pl.Series([b.sheet for b in work.batches])
    return faults.select(
        severity=pl.lit(level.value),
        table=pl.lit(work.table.name),
        file=files.gather(numbers),
        sheet=sheets.gather(numbers),
        row=rows.gather(faults["id"]),
        column="column",
        label="label",
        found="found",
        allowed="allowed",
        remedy="remedy",
    )


def _listed(work: _Work, faults: pl.DataFrame, level: IssueLevel) -> Iterator[pl.DataFrame]:
    """Yield lines of the report: of each column of a sheet the first ones, and how many more there are.

    A sheet whose columns have slipped has a fault in every cell; every row has its reasons in quarantine.
    """
    batch = pl.Series(work.batch_of(faults["id"].to_numpy().astype(np.int64)))
    faults = faults.with_columns(_batch=batch).with_columns(
        _place=pl.int_range(pl.len()).over("_batch", "label")
    )
    yield _located(work, faults.filter(pl.col("_place") < _MOST_LINES), level)
    beyond = faults.filter(pl.col("_place") >= _MOST_LINES)
    for number, column, label, allowed, more in (
        beyond.group_by("_batch", "column", "label", maintain_order=True)
        .agg(pl.col("allowed").first(), pl.len())
        .iter_rows()
    ):
        line = Issue(
            level,
            found=f"另有 {more} 处，没有逐行列出",
            allowed=allowed,
            remedy="先改正已列出的各行后重新检查；被隔离的行及原因都在 quarantine 文件夹中",
            table=work.table.name,
            file=work.batches[number].file,
            sheet=work.batches[number].sheet,
            column=column,
            label=label,
        )
        yield issue_frame([line])


def _finish(work: _Work, batches: Sequence[Batch]) -> Checked:
    issues = [part for f in work.faults for part in _listed(work, f, IssueLevel.ERROR)]
    issues += [part for level, f in work.warnings for part in _listed(work, f, level)]
    refused = [issue for b in batches for issue in b.refused]
    issues.append(issue_frame([*refused, *work.issues]))
    reasons = _reasons(work)
    parts: list[pl.DataFrame] = []
    counts: list[dict[str, str | int]] = []
    number = 0
    for batch in batches:
        size = batch.raw.height
        if batch.refused:
            text = "；".join(
                f"{i.label or '表'}：{i.found}，应为：{i.allowed}，{i.remedy}" for i in batch.refused
            )
            kept = np.ones(size, dtype=np.bool_)
            why = pl.repeat(text, size, dtype=pl.String, eager=True)
            repeated = 0
        else:
            start = int(work.starts[number])
            kept = work.bad[start : start + size]
            why = reasons.filter((reasons["id"] >= start) & (reasons["id"] < start + size))["reasons"]
            repeated = int(work.dropped[start : start + size].sum())
            number += 1
        if kept.any():
            parts.append(_set_aside(batch, pl.Series(kept), why))
        dropped = {**batch.dropped, **({DUPLICATE: repeated} if repeated else {})}
        left_out = sum(dropped.values())
        quarantined = int(kept.sum())
        counts.append(
            {
                "file": batch.file,
                "sheet": batch.sheet,
                "table": work.table.name,
                "unit": batch.unit,
                "read": size + sum(batch.dropped.values()),
                "loaded": size - quarantined - repeated,
                "quarantined": quarantined,
                "dropped": left_out,
                "reason": "；".join(f"{reason} {count}" for reason, count in dropped.items()),
            }
        )
    return Checked(
        rows=work.good().drop("_id"),
        issues=tuple(issues),
        quarantine=pl.concat(parts) if parts else _set_aside_empty(work.table),
        counts=tuple(counts),
    )


def _reasons(work: _Work) -> pl.DataFrame:
    """Return one text of reasons for each refused row, in the order of rows."""
    if not work.faults:
        return pl.DataFrame(schema={"id": pl.UInt32, "reasons": pl.String})
    line = pl.format("{}：发现“{}”，应为：{}，{}", "label", "found", "allowed", "remedy")
    lines = pl.concat(work.faults, rechunk=True).select("id", line.alias("reasons"))
    of_row = pl.col("reasons").head(_MOST_REASONS).str.join("；") + pl.when(pl.len() > _MOST_REASONS).then(
        pl.format("；等 {} 处", pl.len())
    ).otherwise(pl.lit(""))
    return lines.group_by("id", maintain_order=True).agg(of_row.alias("reasons")).sort("id")


def _set_aside(batch: Batch, kept: pl.Series, reasons: pl.Series) -> pl.DataFrame:
    names = [c.name for c in _columns(batch.table)]
    raw = batch.raw.filter(kept)
    cells = [
        (
            raw[name].cast(pl.String, strict=False)
            if name in raw.columns
            else pl.repeat(None, raw.height, dtype=pl.String, eager=True)
        ).alias(name)
        for name in names
    ]
    return guard.masked(pl.DataFrame(cells), batch.table).with_columns(
        source_file=pl.lit(batch.file),
        source_sheet=pl.lit(batch.sheet),
        source_row=batch.rows.filter(kept).cast(pl.Int64),
        reasons=reasons,
    )


def _set_aside_empty(table: Table) -> pl.DataFrame:
    names = [*(c.name for c in _columns(table)), "source_file", "source_sheet"]
    return pl.DataFrame(
        schema={**dict.fromkeys(names, pl.String), "source_row": pl.Int64, "reasons": pl.String}
    )


# ---------------------------------------------------------------- to pandas


def to_pandas(rows: pl.DataFrame, table: Table) -> pd.DataFrame:
    """Return good rows as a pandas frame that follows the conventions of the contracts.

    Parameters
    ----------
    rows
        Typed rows of :class:`Checked`.
    table
        Contract; its geometry column is left out.

    Examples
    --------
    >>> from huanjie_lib.contracts import table
    >>> frame = to_pandas(check(table("screenings"), [], Context({})).rows, table("screenings"))
    >>> frame.dtypes[["screening_id", "screened_on", "led_by_secretary", "households_visited"]].tolist()
    [<StringDtype(na_value=nan)>, dtype('<M8[us]'), BooleanDtype, Int64Dtype()]
    """
    categorical = _CATEGORICAL.get(table.name, frozenset())
    columns: Iterable[Column] = (*_columns(table), *SOURCE_COLUMNS)
    data: dict[str, object] = {}
    for column in columns:
        series = rows[column.name]
        if column.name in categorical:
            data[column.name] = _categorical(series)
        elif column.kind == "date":
            data[column.name] = series.to_numpy().astype("datetime64[us]")
        elif column.kind == "number":
            data[column.name] = series.cast(pl.Float64).fill_null(float("nan")).to_numpy(writable=True)
        elif column.kind in {"integer", "boolean"}:
            data[column.name] = _nullable(series)
        else:
            data[column.name] = pd.array(series.to_arrow(), dtype="str")
    return pd.DataFrame(data)


def _categorical(series: pl.Series) -> pd.Categorical:
    values = series.drop_nulls().unique().sort()
    codes = series.cast(pl.Enum(values)).to_physical().cast(pl.Int32).fill_null(-1).to_numpy()
    return pd.Categorical.from_codes(codes, categories=pd.Index(values.to_list(), dtype="str"))


def _nullable(series: pl.Series) -> pd.api.extensions.ExtensionArray:
    missing = series.is_null().to_numpy()
    if series.dtype == pl.Boolean:
        return pd.arrays.BooleanArray(series.fill_null(False).to_numpy().copy(), missing.copy())
    return pd.arrays.IntegerArray(series.fill_null(0).to_numpy().astype(np.int64), missing.copy())
