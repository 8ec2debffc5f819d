"""Commands for what a run reads: ``init``, ``check``, ``events`` and ``template``."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from huanjie_lib.cli.options import EVIDENCE, FILE, FOLDER, KEY, PACK, REGION, STORES, Date
from huanjie_lib.cli.telling import Progress
from huanjie_lib.cli.who import keys_of
from huanjie_lib.errors import Fault, LedgerError, UsageError
from huanjie_lib.outputs import require_new_folder

if TYPE_CHECKING:
    from huanjie_lib.intake import Intake

__all__ = ["check", "events", "init", "template"]

_MOST_TOLD = 50


@click.command(help="生成一座虚构城市的示例数据。")
@click.option("--out", type=FOLDER, required=True, help="写入示例城市的文件夹。")
@click.option(
    "--seed", type=int, default=20261031, show_default=True, help="随机种子；相同种子得到相同文件。"
)
@click.option(
    "--units", type=click.IntRange(60, 20000), default=3215, show_default=True, help="村（社区）个数。"
)
@click.option(
    "--key", type=FILE, default=None, help="写入示例密钥的新文件；用它载入示例人才库，不能用于真实数据。"
)
@click.option(
    "--events",
    "streams",
    type=FOLDER,
    default=None,
    help="另把信访、热线、线索和选民登记变动的逐条事件写入这个文件夹，供试用 huanjie events。",
)
def init(out: Path, seed: int, units: int, key: Path | None, streams: Path | None) -> None:
    """Write the synthetic sample city."""
    from huanjie_lib.sample import make_city, write_city
    from huanjie_lib.sample.events import write_events

    for folder in (out, streams):
        if folder is not None:
            require_new_folder(folder, refused="没有生成示例城市")
    city = make_city(seed=seed, units=units)
    paths = write_city(city, out, key=key)
    click.echo(f"已生成示例城市：{units} 个村（社区），{len(paths)} 个文件，位于 {out}")
    if key is not None:
        click.echo(f"示例密钥已写入 {key}，只有本人可读；它由随机种子推出，不能用于真实数据")
    if streams is not None:
        write_events(city, streams)
        click.echo(f"示例事件已写入 {streams}；汇总：huanjie events --events {streams} --data {out}")


@click.command(
    help="检查报送数据（--data，有错误时退出码为 3）、案件台账（--ledger）或其备份（--backup），"
    "后两者有问题时退出码为 6。"
)
@click.option("--data", type=FOLDER, default=None, help="数据文件夹。")
@click.option("--ledger", "store", default=None, help=f"案件台账：{STORES}。")
@click.option(
    "--backup", "backup_file", type=FILE, default=None, help="huanjie backup 写出的文件；只核对，不恢复。"
)
@click.option(
    "--head", type=FILE, default=None, help="另存的链头文件；核对台账没有被截断。不填用台账旁最近的一份。"
)
@click.option("--out", type=FOLDER, default=None, help="写入检查报告和隔离数据的文件夹。")
@EVIDENCE
@KEY
@PACK
@REGION
def check(
    data: Path | None,
    store: str | None,
    backup_file: Path | None,
    head: Path | None,
    out: Path | None,
    evidence: Path | None,
    key: Path | None,
    pack: Path | None,
    region: str,
) -> None:
    """Check a data folder, a ledger or a backup of one and tell every fault."""
    given = 3 - [data, store, backup_file].count(None)
    if given != 1:
        found = "都没有给出" if not given else "两个都给出" if given == 2 else "三个都给出"
        remedy = "检查数据用 --data，检查台账用 --ledger，检查备份用 --backup"
        fault = Fault("--data、--ledger 和 --backup", found, "其中之一", remedy)
        raise UsageError("没有说明检查什么", [fault])
    if backup_file is not None:
        _check_backup(backup_file, head)
    elif store is not None:
        _check_ledger(store, head, evidence)
    else:
        _check_data(cast("Path", data), out, key, pack, region)


def _check_ledger(store: str, head: Path | None, evidence: Path | None) -> None:
    from huanjie_lib.workbench import check_ledger

    found = check_ledger(store, head=head, evidence=evidence)
    against = (
        "没有另存的链头可供核对"
        if found.against is None
        else f"与第 {found.against.sequence} 个事件的链头核对"
    )
    for fault in found.faults[:_MOST_TOLD]:
        place = f"事件 {fault.sequence}" if fault.sequence else "整个台账"
        click.echo(f"[{place}] {fault}")
    if len(found.faults) > _MOST_TOLD:
        click.echo(f"……另有 {len(found.faults) - _MOST_TOLD} 处")
    click.echo(
        f"{found.where}：{found.head.sequence} 个事件、{found.head.runs} 次发布，链头 {found.head.hash}；"
        f"{against}；问题 {len(found.faults)} 处"
    )
    if found.faults:
        raise SystemExit(LedgerError.exit_code)


def _check_backup(file: Path, head: Path | None) -> None:
    import tempfile

    from huanjie_lib.store.backup import check_backup
    from huanjie_lib.store.heads import read_head

    kept = None if head is None else read_head(head)
    with tempfile.TemporaryDirectory(prefix="huanjie-") as work:
        made = check_backup(file, Path(work) / "backup", head=kept)
    click.echo(f"备份完好：{made}")


def _check_data(data: Path, out: Path | None, key: Path | None, pack: Path | None, region: str) -> None:
    from huanjie_lib.intake import write_report
    from huanjie_lib.parameters import load_parameters
    from huanjie_lib.workbench import open_data

    progress = Progress()
    parameters = load_parameters(pack, region=region)
    intake = open_data(data, parameters, keys=keys_of(key), progress=progress)
    progress.close()
    for line in _issue_lines(intake):
        click.echo(line)
    if out is not None:
        write_report(intake, out)
        click.echo(f"报告和隔离数据已写入 {out}")
    click.echo(_intake_summary(intake))
    if (intake.issues["severity"] == "error").any():
        raise SystemExit(3)


def _issue_lines(intake: Intake, most: int = 50) -> list[str]:
    """Return the errors and warnings as lines, errors first, at most ``most`` of them."""
    words = {"error": "错误", "warning": "提醒"}
    told = intake.issues[intake.issues["severity"].isin(words)].sort_values("severity", kind="stable")
    lines = []
    for issue in told.head(most).itertuples():
        row = "" if str(issue.row) in {"", "<NA>", "nan"} else f"第{issue.row}行"
        where = "，".join(
            str(w) for w in (issue.file, issue.sheet, row, issue.label) if isinstance(w, str) and w
        )
        fault = Fault(where, str(issue.found), str(issue.allowed), str(issue.remedy))
        lines.append(f"[{words[str(issue.severity)]}] {fault}")
    if len(told) > most:
        lines.append(f"……另有 {len(told) - most} 处，用 --out 写出完整报告")
    return lines


def _intake_summary(intake: Intake) -> str:
    from huanjie_lib.intake import IssueLevel

    totals = intake.totals()
    return (
        f"读入 {totals['read']:,} 行：载入 {totals['loaded']:,}、隔离 {totals['quarantined']:,}、"
        f"按规则略去 {totals['dropped']:,}；"
        f"错误 {intake.number(IssueLevel.ERROR)} 处、提醒 {intake.number(IssueLevel.WARNING)} 处"
    )


@click.command(help="把信访、热线、线索和选民登记变动的逐条事件汇总为按月的基础数据，放进数据文件夹。")
@click.option(
    "--events",
    "folder",
    type=FOLDER,
    required=True,
    help="事件文件夹：events.yaml 和各类事件的 Parquet 文件。",
)
@click.option("--data", type=FOLDER, required=True, help="数据文件夹：取其中的名录，写入汇总结果。")
@click.option(
    "--engine",
    default=None,
    help="计算引擎：duckdb://（默认）、spark://主机:端口、postgresql://…；不填用 events.yaml 中的 engine。",
)
def events(folder: Path, data: Path, engine: str | None) -> None:
    """Aggregate event streams into the tables of a data folder."""
    from huanjie_lib.events import load_events

    for path in (folder, data):
        if not path.is_dir():
            raise UsageError("没有这个文件夹", [Fault("文件夹", str(path), "已有的文件夹", "检查路径")])
    done = load_events(folder, data, engine=engine)
    for stream in done.account.rows["stream"]:
        click.echo(done.account.explain(stream))
    click.echo(
        f"写入基础数据 {done.facts} 行、线索 {done.leads} 行；账目在 {data / 'events' / 'account.csv'}"
    )
    if done.account.rows["refused"].sum():
        click.echo(f"被隔离的行在 {data / 'events' / 'quarantine'}，请改正后重新导出", err=True)


@click.command(help="写出空白的换届数据报送表（XLSX），每个镇街一份，供填报。")
@click.option("--data", type=FOLDER, required=True, help="数据文件夹，取其中的村(社区)和镇街名录。")
@click.option("--as-of", type=Date(), required=True, help="报送数据的日期，如 2026-10-31。")
@click.option("--out", type=FOLDER, required=True, help="写入的文件夹；每个镇街一个文件夹。")
@click.option("--township", "chosen", multiple=True, help="只写这个镇街（名称或九位代码），可重复。")
@PACK
@REGION
def template(
    data: Path, as_of: dt.date, out: Path, chosen: tuple[str, ...], pack: Path | None, region: str
) -> None:
    """Write the empty return workbooks of townships."""
    from huanjie_lib.exports.return_template import write_return_templates
    from huanjie_lib.intake.areas import read_areas
    from huanjie_lib.parameters import load_parameters

    units, townships = read_areas(data)
    metrics = load_parameters(pack, region=region).framework.metrics
    paths = write_return_templates(units, townships, metrics, out, as_of=as_of, chosen=chosen)
    click.echo(f"已写出 {len(paths)} 份报送表到 {out}；填好后放在数据文件夹的 returns 下")
