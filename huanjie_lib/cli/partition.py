"""Commands for a province or the nation, county by county: ``partition split``, ``run`` and ``match``."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click

from huanjie_lib.cli.options import AS_OF, DATA, FOLDER, KEY, PACK, REGION
from huanjie_lib.cli.telling import Progress, tell_dates
from huanjie_lib.cli.who import keys_of

__all__ = ["partition"]

_COUNTIES = click.option(
    "--data", type=FOLDER, required=True, help="按县区存放的数据：huanjie partition split 写出的文件夹。"
)
_ENGINE = click.option(
    "--engine",
    default=None,
    help="在哪里计算：不填在本机逐个县区计算；集群填 spark://主机:端口，各机器须能以同样的路径读写这些文件夹。",
)


@click.group(
    help="全省、全国的数据按县区存放、逐个县区计算，所用内存不随县区增加；结果与合在一起计算的相同。"
)
def partition() -> None:
    """Work county by county."""


@partition.command(
    "split",
    help="检查一个市的数据文件夹并按县区存放；各市可以写入同一个文件夹。人员只有代号，不含姓名、证件号和受保护属性。",
)
@DATA
@click.option("--out", type=FOLDER, required=True, help="写入各县区的文件夹。")
@KEY
@PACK
@REGION
def split(data: Path, out: Path, key: Path | None, pack: Path | None, region: str) -> None:
    """Lay a data folder out by county."""
    from huanjie_lib.intake import IssueLevel
    from huanjie_lib.parameters import load_parameters
    from huanjie_lib.partitions import write_partitions
    from huanjie_lib.workbench import open_data

    progress = Progress()
    intake = open_data(data, load_parameters(pack, region=region), keys=keys_of(key), progress=progress)
    progress.close()
    counties = write_partitions(intake.tables, out, areas=intake.boundaries)
    click.echo(f"{len(counties)} 个县区、{len(intake.tables['units']):,} 个村（社区）已按县区存放在 {out}")
    errors = intake.number(IssueLevel.ERROR)
    if errors:
        click.echo(
            f"报送数据有 {errors} 处错误，问题行没有写入，详见 huanjie check --data {data} --out 报告文件夹",
            err=True,
        )


@partition.command("run", help="逐个县区计算选情指数、扣分、三色等级和准入条件，逐个市核查异常线索。")
@_COUNTIES
@AS_OF
@click.option("--out", type=FOLDER, required=True, help="写入评估结果的新文件夹，每个县区一个文件夹。")
@_ENGINE
@PACK
@REGION
def run(data: Path, as_of: dt.date, out: Path, engine: str | None, pack: Path | None, region: str) -> None:
    """Score the counties and run the anomaly checks of their cities."""
    from huanjie_lib.parameters import load_parameters
    from huanjie_lib.partitions import open_cluster, run_partitions

    parameters = load_parameters(pack, region=region)
    tell_dates(parameters, as_of)
    with open_cluster(engine) as spark:
        done = run_partitions(data, out, parameters, as_of=as_of, spark=spark)
    click.echo(f"{done.summary()}结果在 {out}")


@partition.command(
    "match",
    help="逐个县区审核条件、画像并排出岗位名单；全市统筹、班子结构和公平检验须看全市，用 huanjie match。",
)
@_COUNTIES
@AS_OF
@click.option("--out", type=FOLDER, required=True, help="写入名单的新文件夹，只供组织部门使用。")
@click.option(
    "--run",
    "run_folder",
    type=FOLDER,
    default=None,
    help="huanjie partition run 写出的同一日期的评估；给出后岗位更看重本单位薄弱的方面。",
)
@_ENGINE
@PACK
@REGION
def match(
    data: Path,
    as_of: dt.date,
    out: Path,
    run_folder: Path | None,
    engine: str | None,
    pack: Path | None,
    region: str,
) -> None:
    """List people for the posts of the counties."""
    from huanjie_lib.parameters import load_parameters
    from huanjie_lib.partitions import open_cluster, run_shortlists
    from huanjie_lib.workbench import MATCH_SEED

    parameters = load_parameters(pack, region=region)
    tell_dates(parameters, as_of)
    with open_cluster(engine) as spark:
        done = run_shortlists(
            data, out, parameters, as_of=as_of, scores=run_folder, seed=MATCH_SEED, spark=spark
        )
    click.echo(f"{done.summary()}名单在 {out}")
