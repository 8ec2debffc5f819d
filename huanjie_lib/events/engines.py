"""Where event streams are aggregated: DuckDB in this process, Spark or PostgreSQL by address.

An engine reads streams, tells small answers and writes large ones as Parquet by county without the rows
passing through this process's memory; small tables come along with an expression (``ibis.memtable``). What is
computed is written elsewhere, once, as Ibis expressions (:mod:`huanjie_lib.events.checks`,
:mod:`~huanjie_lib.events.monthly`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import parse_qsl, urlsplit

import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from huanjie_lib.cluster import is_spark, shown, spark_session
from huanjie_lib.contracts import EVENT_STREAMS
from huanjie_lib.errors import Fault, UsageError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["ENGINES", "Engine", "open_engine"]

ENGINES: Final = "duckdb://、spark://主机:端口、local-cluster[2,1,1024]、local[2]、postgresql://用户@主机/库"
_DUCKDB_OPTIONS: Final = ("threads", "memory_limit", "temp_directory")
_PASS_ROWS: Final = "pass_rows"
#: Finding ids that come again takes 40 bytes for each of them, in memory or in the temporary directory.
_IDS_AT_ONCE: Final = 200_000_000
_BATCH: Final = 100_000


class Engine(Protocol):
    """What aggregation needs of an engine."""

    name: str

    def stream(self, folder: Path, name: str) -> ir.Table | None:
        """Return a stream as it lies there, ``None`` where there is none."""

    def instants(self, stream: ir.Table, name: str) -> frozenset[str]:
        """Return which columns of a stream are moments with a time zone."""

    def utc(self, instant: ir.Value) -> ir.Value:
        """Return the clock of UTC at an instant, a moment without a zone."""

    def passes(self, stream: ir.Table) -> int:
        """Return in how many parts the ids of a stream are to be gone through, so that those of one fit."""

    def fetch(self, expression: ir.Table) -> pd.DataFrame:
        """Return a small answer."""

    def keep(self, expression: ir.Table) -> ir.Table:
        """Compute a table once, and hold it with the engine until it is closed."""

    def write(self, expression: ir.Table, folder: Path, *, by: str | None = None) -> None:
        """Write an answer as Parquet below a new folder, one folder each value of ``by``: ``county=…/``."""


@contextmanager
def open_engine(url: str) -> Iterator[Engine]:
    """Open an engine by its address, and close it at the end.

    Parameters
    ----------
    url
        ``duckdb://``, with ``?memory_limit=3GB&threads=2&temp_directory=…&pass_rows=200000000`` where wanted;
        a Spark master; or ``postgresql://…``, whose tables then hold the streams.

    Raises
    ------
    UsageError
        If there is no such engine here, or it does not answer.

    Examples
    --------
    >>> import pyarrow as pa
    >>> with open_engine("duckdb://?threads=1") as engine:
    ...     engine.fetch(ibis.memtable(pa.table({"a": [1, 2]})))["a"].tolist()
    [1, 2]
    """
    if url.startswith("duckdb:"):
        with _duckdb(url) as engine:
            yield engine
    elif url.startswith(("postgresql:", "postgres:")):
        with _postgres(url) as engine:
            yield engine
    elif is_spark(url):
        with _spark(url) as engine:
            yield engine
    else:
        raise UsageError("没有这种计算引擎", [Fault("engine", shown(url), ENGINES, "改正地址")])


class _Ibis:
    """What the engines share."""

    name = ""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self._kept = 0

    def next_name(self) -> str:
        """Return a name for what is kept."""
        self._kept += 1
        return f"huanjie_kept_{self._kept}"

    def utc(self, instant: ir.Value) -> ir.Value:
        return instant.cast("timestamp(6)")  # every session keeps UTC

    def passes(self, stream: ir.Table) -> int:
        del stream
        return 1

    def keep(self, expression: ir.Table) -> ir.Table:
        kept: ir.Table = self.connection.create_table(self.next_name(), expression, temp=True)
        return kept

    def instants(self, stream: ir.Table, name: str) -> frozenset[str]:
        del name
        kinds = stream.schema().items()
        return frozenset(c for c, kind in kinds if kind.is_timestamp() and kind.timezone is not None)

    def fetch(self, expression: ir.Table) -> pd.DataFrame:
        found: pd.DataFrame = self.connection.to_pyarrow(expression).to_pandas()
        return found


class _Ordered(_Ibis):
    """An engine whose answers are written by this process, one county after the other."""

    def batches(self, expression: ir.Table) -> pa.RecordBatchReader:
        """Return an answer piece by piece."""
        found: pa.RecordBatchReader = self.connection.to_pyarrow_batches(expression, chunk_size=_BATCH)
        return found

    def write(self, expression: ir.Table, folder: Path, *, by: str | None = None) -> None:
        folder.mkdir(parents=True)
        if by is None:
            with self.batches(expression) as batches:
                _write(folder, batches.schema, batches)
            return
        with self.batches(expression.order_by(by)) as batches:
            schema = batches.schema.remove(batches.schema.get_field_index(by))
            for value, rows in groupby(_runs(batches, by), key=itemgetter(0)):
                _write(folder / f"{by}={value}", schema, (run for _, run in rows))


def _runs(batches: Iterable[pa.RecordBatch], by: str) -> Iterator[tuple[str, pa.RecordBatch]]:
    """Yield the stretches of rows that have one value in a column, without that column."""
    for batch in batches:
        column = batch.column(by)
        ends = pc.run_end_encode(column)
        begin = 0
        for value, end in zip(ends.values.to_pylist(), ends.run_ends.to_pylist(), strict=True):
            yield value, batch.slice(begin, end - begin).drop_columns([by])
            begin = end


def _write(folder: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    folder.mkdir(exist_ok=True)
    with pq.ParquetWriter(folder / "part-0.parquet", schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch)


# ---------------------------------------------------------------- DuckDB


@contextmanager
def _duckdb(url: str) -> Iterator[Engine]:
    options = dict(parse_qsl(urlsplit(url).query))
    unknown = sorted(set(options) - {*_DUCKDB_OPTIONS, _PASS_ROWS})
    if unknown:
        allowed = "、".join((*_DUCKDB_OPTIONS, _PASS_ROWS))
        fault = Fault("engine", "、".join(unknown), allowed, "改正地址中的选项")
        raise UsageError("计算引擎的选项不对", [fault])
    rows = options.pop(_PASS_ROWS, str(_IDS_AT_ONCE))
    if not rows.isdecimal() or not int(rows):
        raise UsageError(
            "计算引擎的选项不对", [Fault(f"engine：{_PASS_ROWS}", rows, "正整数", "改正地址中的选项")]
        )
    with tempfile.TemporaryDirectory(prefix="huanjie-duckdb-") as scratch:
        settings: dict[str, Any] = {"temp_directory": scratch, "preserve_insertion_order": False, **options}
        connection = ibis.duckdb.connect(**settings)
        try:
            yield _DuckDB(connection, int(rows))
        finally:
            connection.disconnect()


@ibis.udf.scalar.builtin(name="epoch_us", signature=((None,), "int64"))  # type: ignore[untyped-decorator]
def _epoch_us(instant: ir.Value) -> ir.Value:
    """Return microseconds since 1970."""


@ibis.udf.scalar.builtin(name="make_timestamp", signature=(("int64",), "timestamp(6)"))  # type: ignore[untyped-decorator]
def _make_timestamp(microseconds: ir.Value) -> ir.Value:
    """Return the clock of UTC."""


class _DuckDB(_Ordered):
    name = "DuckDB"

    def __init__(self, connection: Any, ids_at_once: int) -> None:
        super().__init__(connection)
        self.ids_at_once = ids_at_once

    def utc(self, instant: ir.Value) -> ir.Value:
        return _make_timestamp(_epoch_us(instant))  # a cast asks the calendar, at ten times the price

    def passes(self, stream: ir.Table) -> int:
        rows = int(self.fetch(stream.aggregate(rows=stream.count()))["rows"].item())
        return max(-(-rows // self.ids_at_once), 1)

    def stream(self, folder: Path, name: str) -> ir.Table | None:
        if not any((folder / name).rglob("*.parquet")):
            return None
        # one pattern, not a list of files: the list would be part of every query
        pattern = str(folder / name / "**" / "*.parquet")
        alike = self._alike(pattern, [column.name for column in EVENT_STREAMS[name].columns])
        if len(alike) == 1:
            return self._read(pattern)
        kinds = {column for columns, _ in alike for column in columns}
        if len(kinds) > len({column for column, _ in kinds}):  # one column has two types
            return self._read(pattern, union_by_name=True)
        parts = [self._read(files) for _, files in alike]
        types = {c: part[c].type() for part in parts for c in part.columns if c in dict(kinds)}
        return ibis.union(
            *(
                part.select(**{c: part[c] if c in part.columns else ibis.null(t) for c, t in types.items()})
                for part in parts
            )
        )

    def batches(self, expression: ir.Table) -> pa.RecordBatchReader:
        # Ibis 12 asks DuckDB 2 for a stream by a name that is no more
        view = self.connection.create_view("huanjie_answer", expression, overwrite=True)
        relation = self.connection.con.sql(self.connection.compile(view))
        # sums are wider there than Ibis says
        found: pa.RecordBatchReader = relation.to_arrow_reader(_BATCH).cast(expression.schema().to_pyarrow())
        return found

    def _read(self, files: str | list[str], **options: Any) -> ir.Table:
        return self.connection.read_parquet(files, hive_partitioning=False, **options)

    def _alike(self, pattern: str, names: list[str]) -> list[tuple[list[tuple[str, str]], list[str]]]:
        """Return the columns, of those named, with their types, and the files that have them so.

        By itself DuckDB takes the columns of the first file for those of all. With ``union_by_name`` it looks
        at every file, but holds what it saw for each time that they are read, beside its limit of memory:
        20 KB a file.
        """
        found: list[tuple[list[tuple[str, str]], list[str]]] = self.connection.con.execute(
            """
            SELECT columns, list(file_name) FROM (
                SELECT file_name, coalesce(
                    list((name, duckdb_type) ORDER BY name) FILTER (list_contains(?, name)), []
                ) AS columns
                FROM parquet_schema(?) GROUP BY file_name
            ) GROUP BY columns
            """,
            [names, pattern],
        ).fetchall()
        return found


# ---------------------------------------------------------------- Spark


@contextmanager
def _spark(url: str) -> Iterator[Engine]:
    with spark_session(url) as session:
        yield _Spark(ibis.pyspark.connect(session), session)


class _Spark(_Ibis):
    name = "Spark"

    def __init__(self, connection: Any, session: SparkSession) -> None:
        super().__init__(connection)
        self.session = session

    def stream(self, folder: Path, name: str) -> ir.Table | None:
        if not any((folder / name).rglob("*.parquet")):
            return None
        options = {"recursiveFileLookup": "true", "mergeSchema": "true"}
        self.session.read.options(**options).parquet(str(folder / name)).createOrReplaceTempView(name)
        return self.connection.table(name)

    def instants(self, stream: ir.Table, name: str) -> frozenset[str]:
        from pyspark.sql.types import TimestampType

        del stream  # Ibis takes Spark's instants for moments without a zone
        fields = self.session.table(name).schema.fields
        return frozenset(field.name for field in fields if isinstance(field.dataType, TimestampType))

    def keep(self, expression: ir.Table) -> ir.Table:
        name = self.next_name()
        view = self.connection.create_view(name, expression)
        self.session.catalog.cacheTable(name)  # in the memory and on the disks of the workers
        return view.cast(expression.schema())  # Spark's moments forget how fine they are

    def write(self, expression: ir.Table, folder: Path, *, by: str | None = None) -> None:
        self.connection.to_parquet(expression, folder, partitionBy=by)


# ---------------------------------------------------------------- PostgreSQL


@contextmanager
def _postgres(url: str) -> Iterator[Engine]:
    import psycopg

    try:
        opened = psycopg.connect(url, autocommit=True)
    except psycopg.OperationalError as error:
        fault = Fault("engine", shown(url), "能连接的 PostgreSQL", "检查地址、账号和口令")
        raise UsageError("PostgreSQL 没有应答", [fault]) from error
    with opened:
        opened.execute("SET TIME ZONE 'UTC'")
        yield _Postgres(ibis.postgres.from_connection(opened))


class _Postgres(_Ordered):
    name = "PostgreSQL"

    def stream(self, folder: Path, name: str) -> ir.Table | None:
        del folder
        return self.connection.table(name) if name in self.connection.list_tables() else None
