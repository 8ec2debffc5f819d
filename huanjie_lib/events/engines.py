"""Where event streams are aggregated: DuckDB in this process, Spark or PostgreSQL by address.

An engine reads streams, tells small answers and writes large ones as Parquet by county without the rows
passing through this process's memory; small tables come along with an expression (``ibis.memtable``). What is
computed is written elsewhere, once, as Ibis expressions (:mod:`huanjie_lib.events.checks`,
:mod:`~huanjie_lib.events.monthly`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import parse_qsl, urlsplit

import ibis
import ibis.expr.types as ir
import pandas as pd

from huanjie_lib.cluster import is_spark, shown, spark_session
from huanjie_lib.errors import Fault, UsageError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["ENGINES", "Engine", "open_engine"]

ENGINES: Final = "duckdb://、spark://主机:端口、local-cluster[2,1,1024]、local[2]、postgresql://用户@主机/库"
_DUCKDB_OPTIONS: Final = ("threads", "memory_limit", "temp_directory")


class Engine(Protocol):
    """What aggregation needs of an engine."""

    name: str

    def stream(self, folder: Path, name: str) -> ir.Table | None:
        """Return a stream as it lies there, ``None`` where there is none."""

    def instants(self, stream: ir.Table, name: str) -> frozenset[str]:
        """Return which columns of a stream are moments with a time zone."""

    def fetch(self, expression: ir.Table) -> pd.DataFrame:
        """Return a small answer."""

    def write(self, expression: ir.Table, folder: Path, *, by: str | None = None) -> None:
        """Write an answer as Parquet below a new folder, one folder each value of ``by``: ``county=…/``."""


@contextmanager
def open_engine(url: str) -> Iterator[Engine]:
    """Open an engine by its address, and close it at the end.

    Parameters
    ----------
    url
        ``duckdb://``, with ``?memory_limit=3GB&threads=2&temp_directory=…`` where wanted; a Spark master;
        or ``postgresql://…``, whose tables then hold the streams.

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

    def instants(self, stream: ir.Table, name: str) -> frozenset[str]:
        del name
        kinds = stream.schema().items()
        return frozenset(c for c, kind in kinds if kind.is_timestamp() and kind.timezone is not None)

    def fetch(self, expression: ir.Table) -> pd.DataFrame:
        found: pd.DataFrame = self.connection.to_pyarrow(expression).to_pandas()
        return found


# ---------------------------------------------------------------- DuckDB


@contextmanager
def _duckdb(url: str) -> Iterator[Engine]:
    options = dict(parse_qsl(urlsplit(url).query))
    unknown = sorted(set(options) - set(_DUCKDB_OPTIONS))
    if unknown:
        fault = Fault("engine", "、".join(unknown), "、".join(_DUCKDB_OPTIONS), "改正地址中的选项")
        raise UsageError("计算引擎的选项不对", [fault])
    with tempfile.TemporaryDirectory(prefix="huanjie-duckdb-") as scratch:
        settings: dict[str, Any] = {"temp_directory": scratch, "preserve_insertion_order": False, **options}
        connection = ibis.duckdb.connect(**settings)
        try:
            yield _DuckDB(connection)
        finally:
            connection.disconnect()


class _DuckDB(_Ibis):
    name = "DuckDB"

    def stream(self, folder: Path, name: str) -> ir.Table | None:
        files = sorted((folder / name).rglob("*.parquet"))
        if not files:
            return None
        # one pattern, not a list of files: the list would be part of every query
        pattern = folder / name / "**" / "*.parquet"
        return self.connection.read_parquet(pattern, union_by_name=True, hive_partitioning=False)

    def write(self, expression: ir.Table, folder: Path, *, by: str | None = None) -> None:
        if by is None:
            folder.mkdir(parents=True)
            self.connection.to_parquet(expression, folder / "part-0.parquet", compression="zstd")
        else:
            self.connection.to_parquet(expression, folder, partition_by=(by,), compression="zstd")


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


class _Postgres(_Ibis):
    name = "PostgreSQL"

    def stream(self, folder: Path, name: str) -> ir.Table | None:
        del folder
        return self.connection.table(name) if name in self.connection.list_tables() else None

    def write(self, expression: ir.Table, folder: Path, *, by: str | None = None) -> None:
        import pyarrow as pa
        import pyarrow.dataset as ds

        with self.connection.to_pyarrow_batches(expression, chunk_size=100_000) as batches:
            ds.write_dataset(
                batches,
                folder,
                format="parquet",
                partitioning=by and ds.partitioning(pa.schema([(by, pa.string())]), flavor="hive"),
                file_options=ds.ParquetFileFormat().make_write_options(compression="zstd"),
            )
