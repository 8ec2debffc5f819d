"""A Spark cluster by the address of its master: the one place where a session is opened.

Event streams (:mod:`huanjie_lib.events`) and counties (:mod:`huanjie_lib.partitions`) run on it by the same
address.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from huanjie_lib.errors import Fault, UsageError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["is_spark", "shown", "spark_session"]

_MASTER = re.compile(r"spark://.+|local(-cluster)?\[.+\]|yarn|k8s://.+")
_SETTINGS: Final = {
    "spark.app.name": "huanjie",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",  # an overflow is an error, never a wrong number
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
    "spark.ui.enabled": "false",
    "spark.driver.maxResultSize": "64m",  # the driver is told counts: rows are an error
}


def is_spark(url: str) -> bool:
    """Return whether an address is that of a Spark master.

    Examples
    --------
    >>> [is_spark(url) for url in ("spark://host:7077", "local[2]", "duckdb://")]
    [True, True, False]
    """
    return _MASTER.fullmatch(url) is not None


def shown(url: str) -> str:
    """Return an address without the password in it.

    Examples
    --------
    >>> shown("postgresql://user:secret@host/db")
    'postgresql://user:…@host/db'
    """
    return re.sub(r"(://[^:/@]*):[^@]*@", r"\1:…@", url)


@contextmanager
def spark_session(url: str) -> Iterator[SparkSession]:
    """Open a session on a cluster, and end it afterwards.

    Parameters
    ----------
    url
        Address of the master.

    Raises
    ------
    UsageError
        If PySpark is not installed, or there is no cluster at the address.
    """
    try:
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError as error:
        fault = Fault("engine", shown(url), "已安装 PySpark 的环境", "参照 docs/scale.md 安装")
        raise UsageError("本机没有安装 PySpark", [fault]) from error
    builder = SparkSession.builder.master(url)
    for key, value in _SETTINGS.items():
        builder = builder.config(key, value)
    try:
        session = builder.getOrCreate()
    except (PySparkException, OSError) as error:
        fault = Fault("engine", shown(url), "能连接的 Spark", "检查地址、Java 运行环境和集群是否已启动")
        raise UsageError("Spark 没有启动", [fault]) from error
    try:
        yield session
    finally:
        session.stop()
