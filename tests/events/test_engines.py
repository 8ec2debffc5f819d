"""One set of expressions on three engines: equal integers, nulls and days, floats to 1e-9.

Spark runs as a cluster of its own: a driver and two executors, processes of their own, one of which is killed
while it works.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import huanjie_lib.cluster
from benchmarks import bench_events
from huanjie_lib.contracts import EVENT_STREAMS
from huanjie_lib.errors import UsageError
from huanjie_lib.events import engines
from huanjie_lib.events.aggregate import LEADS, MONTHS, QUARANTINE, EventAccount, aggregate_events
from huanjie_lib.events.engines import Engine, open_engine
from huanjie_lib.parameters import load_parameters
from huanjie_lib.partitions import layout
from huanjie_lib.partitions.layout import write_partitions
from huanjie_lib.partitions.run import run_partitions
from huanjie_lib.sample import make_city
from tests.events.test_aggregate import aggregated, assert_as_counted, whole
from tests.events.worlds import World, make_world

pytestmark = [
    pytest.mark.filterwarnings("ignore:fetch_arrow_table:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
    pytest.mark.filterwarnings("ignore:toPandas attempted Arrow optimization:UserWarning"),
    pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning"),  # from within PySpark
]

SEED, ROWS = 20261031, 900
CLUSTER = "local-cluster[2,1,640]"
TOLD = 64 * 1024
"""Bytes that the driver of the cluster lets executors tell it in one job."""
#: For a few thousand rows, compiling and tuning queries costs more than running them.
SMALL = (
    "spark.executor.memory=512m",
    "spark.sql.shuffle.partitions=2",
    "spark.sql.adaptive.enabled=false",
    "spark.sql.codegen.wholeStage=false",
    "spark.sql.autoBroadcastJoinThreshold=-1",  # as at scale, where no side of a join is small
    "spark.driver.extraJavaOptions=-XX:TieredStopAtLevel=1",
    "spark.executor.extraJavaOptions=-XX:TieredStopAtLevel=1",
)


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(SEED, ROWS)


@pytest.fixture(scope="module")
def embedded(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what DuckDB makes of the world, which is what a plain count makes of it."""
    folder = tmp_path_factory.mktemp("duckdb")
    with open_engine("duckdb://?threads=1") as engine:
        aggregated(engine, world, folder)
    return folder


@pytest.fixture(scope="module")
def cluster() -> Iterator[Engine]:
    """Yield an engine on a Spark cluster of two workers on this machine."""
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("no Java runtime, which Spark needs (Debian: default-jre-headless)")
    # no name service is asked who this machine is, and workers run this interpreter
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("PYSPARK_SUBMIT_ARGS", f"{' '.join(f'--conf {c}' for c in SMALL)} pyspark-shell")
        patch.setitem(huanjie_lib.cluster._SETTINGS, "spark.driver.maxResultSize", str(TOLD))
        with open_engine(CLUSTER) as engine:
            yield engine


def executors() -> list[int]:
    """Return the process numbers of the executors that this process's Spark has started."""
    command = ["ps", "-ww", "-eo", "pid,ppid,args"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    parents = {int(line.split(None, 2)[0]): line.split(None, 2) for line in told.splitlines()[1:]}
    found = []
    for pid, (_, ppid, command) in parents.items():
        if "CoarseGrainedExecutorBackend" not in command or "java" not in command.split()[0]:
            continue
        ancestor = int(ppid)
        while ancestor > 1 and ancestor != os.getpid():
            ancestor = int(parents[ancestor][1])
        found += [pid] if ancestor == os.getpid() else []
    return sorted(found)


def assert_equal(one: Path, other: Path) -> None:
    """Hold two outcomes against each other, cell by cell."""
    for part, key in ((MONTHS, ["unit_code", "month"]), (LEADS, ["unit_code", "received_on", "kind"])):
        a, b = whole(one / "out" / part, key), whole(other / "out" / part, key)
        pd.testing.assert_frame_equal(a, b[a.columns], check_dtype=False, rtol=1e-9, atol=0.0)
        counts = [c for c in a.columns if c not in ("petition_days", "county", *key)]
        pd.testing.assert_frame_equal(a[counts], b[counts], check_dtype=False, check_exact=True)
    for name in EVENT_STREAMS:
        columns = [c.name for c in EVENT_STREAMS[name].columns]
        a, b = (
            pd.concat(
                [pd.read_parquet(p) for p in sorted((f / "out" / QUARANTINE / name).rglob("*.parquet"))]
            )
            .sort_values([*columns, "reason"], ignore_index=True)
            .astype({c: "datetime64[us]" for c in columns if c.endswith("_at")})
            for f in (one, other)
        )
        pd.testing.assert_frame_equal(a, b[a.columns], check_dtype=False)


def test_postgresql_says_the_same(world: World, embedded: Path, postgres_url: str, tmp_path: Path) -> None:
    with open_engine(postgres_url.replace("+psycopg", "")) as engine:
        for name, frame in world.streams.items():
            engine.connection.create_table(name, schema=_schema(name))
            columns = [c.name for c in EVENT_STREAMS[name].columns]
            copied = f"COPY {name} ({', '.join(columns)}) FROM STDIN"
            with engine.connection.con.cursor() as cursor, cursor.copy(copied) as copy:
                for row in frame[columns].astype(object).itertuples(index=False):
                    copy.write_row([None if pd.isna(v) else v for v in row])
        account = aggregate_events(engine, Path(), world.settings, world.register, tmp_path / "out")
    assert account.engine == "PostgreSQL"
    assert_as_counted(world, account, tmp_path / "out")
    assert_equal(embedded, tmp_path)


def _schema(name: str):  # type: ignore[no-untyped-def]
    kinds = {"integer": "int64", "moment": "timestamp('UTC', 6)"}
    return ibis.schema({c.name: kinds.get(c.kind, "string") for c in EVENT_STREAMS[name].columns})


def test_a_spark_cluster_that_loses_a_worker_says_the_same(
    world: World, embedded: Path, cluster: Engine, tmp_path: Path
) -> None:
    until = time.monotonic() + 300
    while len(before := executors()) < 2 and time.monotonic() < until:
        time.sleep(0.5)
    assert len(before) == 2
    outcome: list[EventAccount | BaseException] = []

    def work() -> None:
        try:
            outcome.append(aggregated(cluster, world, tmp_path))
        except BaseException as error:  # noqa: BLE001 - the test tells it, on the thread that can
            outcome.append(error)

    thread = threading.Thread(target=work)
    tracker = cluster.session.sparkContext.statusTracker()
    thread.start()
    while thread.is_alive() and not _working(tracker):
        time.sleep(0.02)
    assert thread.is_alive(), f"nothing was running that could be lost: {outcome}"
    os.kill(before[0], signal.SIGKILL)
    thread.join(900)
    assert [type(o) for o in outcome] == [EventAccount], outcome
    after = executors()
    assert before[0] not in after
    assert len(after) == 2, "Spark has put another in its place"
    assert outcome[0].engine == "Spark"
    assert_equal(embedded, tmp_path)


def test_rows_sent_to_the_driver_are_an_error(world: World, cluster: Engine, tmp_path: Path) -> None:
    """So that neither streams nor what comes of them can have passed through it in the test above."""
    folder = world.write(tmp_path)
    for name in EVENT_STREAMS:
        stream = cluster.stream(folder, name)
        assert stream is not None
        with pytest.raises(Exception, match=r"spark\.driver\.maxResultSize"):
            cluster.fetch(stream)


def test_spark_as_a_contender_finds_the_answer(cluster: Engine, tmp_path: Path) -> None:
    bench_events.make(4_000, tmp_path)
    wanted = json.loads((tmp_path / bench_events.ANSWER).read_text(encoding="utf-8"))
    session = cluster.session
    session.conf.set("spark.sql.session.timeZone", "Asia/Shanghai")
    try:
        assert bench_events.spark_answer(session, tmp_path) == wanted
    finally:
        session.conf.set("spark.sql.session.timeZone", "UTC")


def test_counties_on_the_cluster_equal_counties_in_turn_and_the_driver_reads_none(
    cluster: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    city = make_city(units=60, people=100, snapshots=2)
    write_partitions(city.tables, tmp_path / "data")
    asked = {"parameters": load_parameters(), "as_of": city.as_of}
    here = run_partitions(tmp_path / "data", tmp_path / "here", **asked)

    def refuse(_name: str, path: Path) -> pd.DataFrame:
        raise AssertionError(f"{path} was read by the driver")

    monkeypatch.setattr(layout, "_typed", refuse)  # here; workers are processes of their own
    with pytest.raises(AssertionError, match="was read by the driver"):
        run_partitions(tmp_path / "data", tmp_path / "none", **asked)
    there = run_partitions(tmp_path / "data", tmp_path / "there", **asked, spark=cluster.session)
    pd.testing.assert_frame_equal(here.to_frame(), there.to_frame())
    files = sorted(p.relative_to(tmp_path / "here") for p in (tmp_path / "here").rglob("*.parquet"))
    assert len(files) > 4
    for file in files:
        assert (tmp_path / "here" / file).read_bytes() == (tmp_path / "there" / file).read_bytes(), file


def _working(tracker) -> bool:  # type: ignore[no-untyped-def]
    """Return whether a stage of a job has some tasks done and some running."""
    for number in tracker.getActiveStageIds():
        stage = tracker.getStageInfo(number)
        if stage is not None and stage.numActiveTasks and stage.numCompletedTasks:
            return True
    return False


def test_more_counties_than_files_may_be_open_are_written_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "_BATCH", 1000)
    number = np.arange(6000)
    rows = ibis.memtable(pa.table({"county": [f"{n:06d}" for n in number % 1500], "number": number}))
    with open_engine("duckdb://?threads=2") as engine:
        engine.write(rows, tmp_path / "out", by="county")
    files = sorted((tmp_path / "out").rglob("*.parquet"))
    assert [f.parent.name for f in files] == [f"county={n:06d}" for n in range(1500)]
    found = pd.concat(pq.ParquetFile(f).read().to_pandas().assign(county=f.parent.name) for f in files)
    assert (found["county"] == [f"county={n:06d}" for n in found["number"] % 1500]).all()
    assert sorted(found["number"]) == number.tolist()


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("mysql://a:secret@b/c", "没有这种计算引擎"),
        ("duckdb://?memory=1", "发现“memory”"),
        ("duckdb://?pass_rows=0", "pass_rows：发现“0”"),
        ("postgresql://nobody:secret@127.0.0.1:9/none", "PostgreSQL 没有应答"),
    ],
)
def test_an_engine_that_is_not_there_is_told_without_its_password(url: str, told: str) -> None:
    with pytest.raises(UsageError) as error, open_engine(url):
        pass
    assert told in str(error.value)
    assert "secret" not in str(error.value)
