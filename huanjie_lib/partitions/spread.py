"""Tasks of counties and cities: one after the other in this process, or on a Spark cluster.

A task reads and writes files and answers with counts, so that whoever hands tasks out holds nothing else.
What it says when it fails goes into the logs of a cluster, which people read who may not read the data: what
a person can put right comes back as an answer, with the faults, and of anything else only the lines of code
are told, never the message, which may repeat what the task was working on.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # comes with scikit-learn

from huanjie_lib.cluster import is_spark, shown, spark_session
from huanjie_lib.errors import DataError, Fault, HuanjieError, UsageError
from huanjie_lib.store.manifest import MANIFEST, file_digest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["Counts", "Task", "answer", "open_cluster", "put", "spread"]

Counts = dict[str, dict[str, int]]
"""What a task counted, by code of the county or city."""
Task = Callable[[str], Counts]

_HERE: Final = "duckdb://"
_ENGINES: Final = "duckdb://（在本机逐个计算）、spark://主机:端口、local-cluster[2,1,1024]、local[2]"


@contextmanager
def open_cluster(engine: str | None = None) -> Iterator[SparkSession | None]:
    """Open what counties are computed on; ``None`` is this process.

    Parameters
    ----------
    engine
        As for event streams: a Spark master, or ``duckdb://`` or ``None`` for this process. Counties lie in
        files, so that a database is none.

    Raises
    ------
    UsageError
        If there is no such engine, or it does not answer.

    Examples
    --------
    >>> with open_cluster() as spark:
    ...     spark is None
    True
    >>> with open_cluster("postgresql://office:secret@host/db") as spark:
    ...     pass
    Traceback (most recent call last):
    huanjie_lib.errors.UsageError: 县区不能用这种计算引擎（共 1 处问题）
      1. engine：发现“postgresql://office:…@host/db”；应为：duckdb://（在本机逐个计算）、...；处理办法：改正地址。
    """
    if engine is None or engine == _HERE:
        yield None
    elif is_spark(engine):
        with spark_session(engine) as spark:
            yield spark
    else:
        raise UsageError("县区不能用这种计算引擎", [Fault("engine", shown(engine), _ENGINES, "改正地址")])


def spread(task: Task, names: Sequence[str], spark: SparkSession | None = None) -> Counts:
    """Return what a task counts for all of some names.

    Parameters
    ----------
    task
        Gives counts of the areas that a name stands for; on a cluster it is sent to the workers, with all it
        holds. It may be run twice for a name and must do the same again.
    names
        What the task takes: of counties or cities, each in one task.
    spark
        Session of a cluster; without, this process takes one name after the other.

    Raises
    ------
    DataError
        If the data of some cannot be used; all faults of all of them on a cluster.
    """
    if spark is None:
        return _together(_alone(task, name) for name in names)

    def work(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            for place, name in zip(batch["place"], batch["name"], strict=True):
                yield pd.DataFrame({"place": [place], "answer": [answer(task, name)]})

    asked = spark.createDataFrame(list(enumerate(names)), "place long, name string")
    rows = asked.repartition(max(len(names), 1), "place").mapInPandas(work, "place long, answer string")
    answers = [json.loads(row["answer"]) for row in sorted(rows.collect(), key=lambda row: row["place"])]
    refused = [found["refused"] for found in answers if "refused" in found]
    if refused:
        faults = [Fault(*fault) for one in refused for fault in one["faults"]]
        raise DataError(refused[0]["summary"], faults)
    return _together(found["counts"] for found in answers)


def _together(answers: Iterable[Counts]) -> Counts:
    return {area: counts for found in answers for area, counts in found.items()}


def answer(task: Task, name: str) -> str:
    """Return what a task finds of a name, or why its data cannot be used, as JSON.

    Raises
    ------
    OSError
        Where a file or the network fails: the cluster tries elsewhere.
    RuntimeError
        In place of anything else that the task raises, with the places in the code alone.
    """
    found: dict[str, Any]
    try:
        found = {"counts": _alone(task, name)}
    except HuanjieError as error:
        place = Path(name).name
        faults = error.faults or (Fault(place, error.summary, "能用的数据", "核对这个县区的数据"),)
        told = [astuple(fault) for fault in faults]
        found = {"refused": {"summary": error.summary, "faults": [(f"{place}：{w}", *r) for w, *r in told]}}
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - told without its message
        lines = "".join(traceback.format_tb(error.__traceback__))
        raise RuntimeError(f"{type(error).__name__} of a task:\n{lines}") from None
    return json.dumps(found, ensure_ascii=False)


def _alone(task: Task, name: str) -> Counts:
    """Run a task on one core: of a county's small matrices, threads wait for one another and gain nothing."""
    with threadpool_limits(1):
        return task(name)


def put(
    frames: Mapping[str, pd.DataFrame], folder: Path, inputs: Iterable[Path], about: Mapping[str, Any]
) -> None:
    """Write tables and, when all lie there, the manifest that says what they were made from.

    Each file comes whole or not at all, and none holds a clock time: a task that a cluster runs twice writes
    the same bytes twice.

    Parameters
    ----------
    frames
        Tables by name.
    folder
        The county's or city's folder.
    inputs
        Files that were read, below folders whose names tell their county.
    about
        What else the manifest says: date, parameters, seed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    outputs = {}
    for name, frame in frames.items():
        path = folder / f"{name}.parquet"
        frame.to_parquet(path.with_suffix(".part"), index=False, compression="zstd")
        outputs[name] = {"rows": len(frame), "sha256": file_digest(path.with_suffix(".part"))}
        path.with_suffix(".part").replace(path)
    read = {"/".join(path.parts[-3:]): file_digest(path) for path in sorted(inputs)}
    manifest = {**about, "inputs": read, "outputs": outputs}
    told = json.dumps(manifest, ensure_ascii=False, indent=1, sort_keys=True)
    unfinished = folder / "manifest.part"
    unfinished.write_text(told + "\n", encoding="utf-8")
    unfinished.replace(folder / MANIFEST)
