"""The command ``huanjie``: init, check, run, match, roster, publish, store, ledgers, weights and so on.

Whatever a user can put right is told in one Chinese message with its remedy and a non-zero exit code;
anything else is a defect, whose details go to a file and whose number is shown.
"""

from __future__ import annotations

import datetime as dt
import errno
import hashlib
import json
import logging
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

import click

from huanjie_lib import __version__
from huanjie_lib.errors import Fault, HuanjieError, LedgerError, UsageError
from huanjie_lib.vocabulary import (
    AccessAction,
    Level,
    RequestKind,
    RequestResult,
    RequestStep,
    Role,
    date_text,
)

if TYPE_CHECKING:
    import pandas as pd

    from huanjie_lib.access.keys import KeyRing
    from huanjie_lib.access.masking import Unmasked
    from huanjie_lib.casework.events import Actor
    from huanjie_lib.contracts import Purpose
    from huanjie_lib.intake import Intake
    from huanjie_lib.parameters import ParameterSet
    from huanjie_lib.risk.weighting import Method
    from huanjie_lib.screens.sign_on import SignOn
    from huanjie_lib.store.ledger import Ledger
    from huanjie_lib.store.requests import RequestEvent
    from huanjie_lib.store.retention import Filed
    from huanjie_lib.views.stamp import Stamp

_Command = TypeVar("_Command", bound=Callable[..., Any])

__all__ = ["cli", "main"]


class _Date(click.ParamType[dt.date]):
    """A date written YYYY-MM-DD."""

    name = "日期"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.date:
        """Return the date, or refuse it with an example of a good one."""
        del param, ctx
        if isinstance(value, dt.date):
            return value
        try:
            return dt.date.fromisoformat(str(value))
        except ValueError as error:
            raise UsageError(
                "日期写法不对",
                [Fault("日期参数", str(value), "YYYY-MM-DD，如 2026-10-31", "按该写法重新输入")],
            ) from error


class _Progress:
    """Progress bar on a terminal; silent elsewhere."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._label = ""

    def __call__(self, label: str, step: int, total: int) -> None:
        """Show that ``step`` of ``total`` steps of the work named ``label`` are done."""
        if not sys.stderr.isatty():
            return
        from tqdm import tqdm

        if label != self._label:
            self.close()
            self._bar, self._label = tqdm(total=total, desc=label, unit="步", leave=False), label
        self._bar.update(step - self._bar.n)

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar, self._label = None, ""


_TELLING = re.compile(r"(?:[^\x00-\x7f]|\\x[0-9a-f]{2}|\\u[0-9a-f]{4})+|\d{6,}[Xx]?")
"""What in the message of a defect may be a name, plain or escaped, or a person's number."""
_BEIJING = dt.timezone(dt.timedelta(hours=8))
_FOLDER = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False)
_PACK = click.option("--pack", type=_FOLDER, default=None, help="参数包文件夹；不填用默认参数包。")
_REGION = click.option(
    "--region", default="national", show_default=True, help="规则所属地区，如 national、zhejiang。"
)

_KEY = click.option(
    "--key",
    type=_FILE,
    default=None,
    help="组织部门的密钥文件；不填时只核对人才登记表，不载入表上的人员。",
)
_MOST_TOLD = 50
_STORES = "文件夹，或 postgresql+psycopg://… 的地址"
_STORE = click.option("--store", required=True, help=f"案件台账：{_STORES}。")
_EVIDENCE = click.option(
    "--evidence",
    type=_FOLDER,
    default=None,
    help="佐证材料文件夹；不填时与台账放在一起（台账在服务器上时必填）。",
)


@click.group(help="村（社区）换届选情研判工作台。", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="huanjie", message="%(prog)s %(version)s")
def cli() -> None:
    """Village and community election workbench."""


@cli.command(help="生成一座虚构城市的示例数据。")
@click.option("--out", type=_FOLDER, required=True, help="写入示例城市的文件夹。")
@click.option(
    "--seed", type=int, default=20261031, show_default=True, help="随机种子；相同种子得到相同文件。"
)
@click.option(
    "--units", type=click.IntRange(60, 20000), default=3215, show_default=True, help="村（社区）个数。"
)
@click.option(
    "--key", type=_FILE, default=None, help="写入示例密钥的新文件；用它载入示例人才库，不能用于真实数据。"
)
def init(out: Path, seed: int, units: int, key: Path | None) -> None:
    """Write the synthetic sample city."""
    from huanjie_lib.sample import make_city, write_city

    if out.exists() and any(out.iterdir()):
        raise UsageError(
            "文件夹不是空的", [Fault("--out", str(out), "空文件夹或新文件夹", "换一个文件夹，或先清空它")]
        )
    paths = write_city(make_city(seed=seed, units=units), out, key=key)
    click.echo(f"已生成示例城市：{units} 个村（社区），{len(paths)} 个文件，位于 {out}")
    if key is not None:
        click.echo(f"示例密钥已写入 {key}，只有本人可读；它由随机种子推出，不能用于真实数据")


@cli.command(
    help="检查报送数据（--data，有错误时退出码为 3）、案件台账（--ledger）或其备份（--backup），"
    "后两者有问题时退出码为 6。"
)
@click.option("--data", type=_FOLDER, default=None, help="数据文件夹。")
@click.option("--ledger", "store", default=None, help=f"案件台账：{_STORES}。")
@click.option(
    "--backup", "backup_file", type=_FILE, default=None, help="huanjie backup 写出的文件；只核对，不恢复。"
)
@click.option(
    "--head", type=_FILE, default=None, help="另存的链头文件；核对台账没有被截断。不填用台账旁最近的一份。"
)
@click.option("--out", type=_FOLDER, default=None, help="写入检查报告和隔离数据的文件夹。")
@_EVIDENCE
@_KEY
@_PACK
@_REGION
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

    progress = _Progress()
    parameters = load_parameters(pack, region=region)
    intake = open_data(data, parameters, keys=_keys(key), progress=progress)
    progress.close()
    for line in _issue_lines(intake):
        click.echo(line)
    if out is not None:
        write_report(intake, out)
        click.echo(f"报告和隔离数据已写入 {out}")
    click.echo(_intake_summary(intake))
    if (intake.issues["severity"] == "error").any():
        raise SystemExit(3)


@cli.command(help="计算选情指数、扣分、三色等级和准入条件。")
@click.option("--data", type=_FOLDER, required=True, help="数据文件夹。")
@click.option("--as-of", type=_Date(), required=True, help="截至日期，如 2026-10-31。")
@click.option("--out", type=_FOLDER, required=True, help="写入评估结果的文件夹。")
@click.option("--previous", type=_FOLDER, default=None, help="上次评估的文件夹；给出后说明变化的原因。")
@click.option(
    "--store", default=None, help=f"案件台账：{_STORES}；给出后计入截至日期前已销号案件更正的事实。"
)
@click.option(
    "--key",
    type=_FILE,
    default=None,
    help="密钥文件；更换过密钥时与 --store 一起给出，案件中按旧代号更正的事实才能对上。",
)
@_PACK
@_REGION
def run(
    data: Path,
    as_of: dt.date,
    out: Path,
    previous: Path | None,
    store: str | None,
    key: Path | None,
    pack: Path | None,
    region: str,
) -> None:
    """Compute index, points lost, colours and gates, and write the run folder."""
    from huanjie_lib.parameters import load_parameters
    from huanjie_lib.workbench import read_casework, write_assessment

    casework = None if store is None else read_casework(store)
    parameters = load_parameters(pack, region=region)
    _tell_dates(parameters, as_of)
    progress = _Progress()
    done = write_assessment(
        data,
        out,
        as_of=as_of,
        parameters=parameters,
        previous=previous,
        casework=casework,
        keys=_keys(key),
        progress=progress,
    )
    progress.close()
    errors = done.manifest["intake"]["errors"]
    if errors:
        click.echo(
            f"报送数据有 {errors} 处错误，问题行已隔离，详见 {out / 'intake' / 'report.csv'}", err=True
        )
    counts = done.manifest["counts"]
    colours = "、".join(f"{level.mark} {counts.get(level.value, 0)}" for level in Level)
    click.echo(
        f"截至 {as_of}：{counts['units']} 个村（社区），{colours}，待核实 {counts['to_verify']}；结果在 {out}"
    )
    taken = done.manifest["casework"]
    if taken is not None:
        click.echo(f"计入案件台账第 {taken['sequence']} 个事件为止的整改：更正 {taken['amendments']} 处事实")
        if taken["unplaced"]:
            click.echo(
                f"提醒：另有 {taken['unplaced']} 处更正没有对应的报送数据，未计入，"
                f"详见 {out / 'ledgers' / 'unplaced.parquet'}",
                err=True,
            )
    if done.result.findings.changes is not None:
        click.echo(done.result.findings.changes.summary())


@cli.command(help="把信访、热线、线索和选民登记变动的逐条事件汇总为按月的基础数据，放进数据文件夹。")
@click.option(
    "--events",
    "folder",
    type=_FOLDER,
    required=True,
    help="事件文件夹：events.yaml 和各类事件的 Parquet 文件。",
)
@click.option("--data", type=_FOLDER, required=True, help="数据文件夹：取其中的名录，写入汇总结果。")
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


@cli.command(help="匹配人才与岗位：审核条件、人才画像、岗位名单、全市统筹、班子结构和公平检验。")
@click.option("--data", type=_FOLDER, required=True, help="数据文件夹。")
@click.option("--as-of", type=_Date(), required=True, help="截至日期，如 2026-10-31。")
@click.option("--out", type=_FOLDER, required=True, help="写入匹配结果的文件夹，只供组织部门使用。")
@click.option(
    "--run",
    "run_folder",
    type=_FOLDER,
    default=None,
    help="同一日期的评估文件夹；给出后岗位更看重本单位薄弱的方面。",
)
@_KEY
@_PACK
@_REGION
def match(
    data: Path,
    as_of: dt.date,
    out: Path,
    run_folder: Path | None,
    key: Path | None,
    pack: Path | None,
    region: str,
) -> None:
    """Match the reserve to the posts and write the talent folder."""
    from huanjie_lib import workbench
    from huanjie_lib.parameters import load_parameters

    parameters = load_parameters(pack, region=region)
    _tell_dates(parameters, as_of)
    progress = _Progress()
    done = workbench.match(
        data,
        out,
        as_of=as_of,
        parameters=parameters,
        risk_run=run_folder,
        keys=_keys(key),
        progress=progress,
    )
    progress.close()
    posts = done.table("posts")
    short = int((posts["lacking"] > 0).sum())
    click.echo(
        f"截至 {as_of}：{len(done.table('people'))} 名后备人才，{len(posts)} 个岗位，"
        f"其中 {short} 个岗位缺人选；结果在 {out}。仅供决策参考，由组织决定"
    )


@cli.command(help="写出建议名册（XLSX）：各岗位人选、缺人岗位、班子结构、核实任务、培养建议和公平凭证。")
@click.option("--talent", type=_FOLDER, required=True, help="huanjie match 写出的人才文件夹。")
@click.option("--out", type=_FOLDER, required=True, help="写入文件的文件夹。")
@click.option(
    "--key",
    type=_FILE,
    default=None,
    help="密钥文件，用来显示掩码后的姓名，须同时给出 --store；不填则只有代号末几位。",
)
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role if role is not Role.SYSTEM]),
    default=Role.TALENT.value,
    show_default=True,
    help="名册给谁：只给 talent 和 city，其他角色不能查看人员。",
)
@click.option("--office", default="", help="导出人的单位。")
@click.option("--account", default=None, help="导出人的账号，印在每一页上；不填用本机的登录名。")
@click.option(
    "--store", default=None, help=f"案件台账：{_STORES}；不填则没有已有的决定；给出时导出记入其中的查阅日志。"
)
def roster(
    talent: Path, out: Path, key: Path | None, role: str, office: str, account: str | None, store: str | None
) -> None:
    """Write whom a talent run proposes for each post, and what was decided so far."""
    from huanjie_lib.exports.roster import write_roster
    from huanjie_lib.store.ledger import open_ledger
    from huanjie_lib.store.talent_folder import read_talent

    if key is not None and store is None:
        allowed = "与 --key 一起给出：姓名即使掩码，也先记入查阅日志"
        fault = Fault("--store", "没有给出", allowed, "补充 --store；或去掉 --key，只写代号末几位")
        raise UsageError("没有写出建议名册", [fault])
    run, keys = read_talent(talent), _keys(key)
    decisions = None
    if store is not None:
        with open_ledger(store, read_only=True) as ledger:
            decisions = ledger.decisions()
    stamp = _stamp(account, office, role, "人才工作")
    path = write_roster(
        run,
        out,
        role=stamp.role,
        keys=keys,
        decisions=decisions,
        stamp=stamp,
        noted=_noting(store, stamp, "talent"),
    )
    click.echo(f"建议名册已写入 {path}。仅供决策参考，由组织决定")


@cli.command(help="发布一次评估：记入案件台账，按预警立案或重新打开案件；同一次评估重复发布不会重复立案。")
@click.option("--run", "run_folder", type=_FOLDER, required=True, help="huanjie run 写出的文件夹。")
@_STORE
@click.option("--account", required=True, help="发布人的账号。")
@_EVIDENCE
def publish(run_folder: Path, store: str, account: str, evidence: Path | None) -> None:
    """Record a run in the ledger and open the cases that its alerts call for."""
    from huanjie_lib.workbench import publish_run

    click.echo(publish_run(run_folder, store, account=account, evidence=evidence).summary())


@cli.command(
    help="备份案件台账：一个时刻的数据库、佐证材料和每日链头写成一个文件，并核对；备份时可以照常登记。不含密钥。"
)
@_STORE
@click.option("--out", type=_FILE, required=True, help="写入备份的新文件，如 台账-2026-11-30.zip。")
@_EVIDENCE
def backup(store: str, out: Path, evidence: Path | None) -> None:
    """Back up a ledger while others may write to it."""
    from huanjie_lib.store.backup import write_backup

    made = write_backup(store, out, evidence=evidence, code_version=__version__)
    click.echo(f"备份已写出并核对：{made}")


@cli.command(help="从备份恢复案件台账到新的位置；先核对全部内容，不覆盖任何已有内容。")
@click.option("--from", "file", type=_FILE, required=True, help="huanjie backup 写出的文件。")
@click.option("--store", required=True, help="新的台账：还不存在的文件夹，或空的 PostgreSQL 数据库的地址。")
@click.option("--evidence", type=_FOLDER, default=None, help="恢复到 PostgreSQL 时，存放佐证材料的新文件夹。")
@click.option(
    "--head", type=_FILE, default=None, help="存在别处的链头文件；核对备份没有缺失，也没有被整个换掉。"
)
def restore(file: Path, store: str, evidence: Path | None, head: Path | None) -> None:
    """Restore a backup into a new place."""
    from huanjie_lib.store import schema
    from huanjie_lib.store.backup import restore as restore_backup
    from huanjie_lib.store.heads import read_head

    kept = None if head is None else read_head(head)
    made = restore_backup(file, store, evidence=evidence, head=kept)
    click.echo(f"已恢复并核对：{made}")
    if made.revision != schema.REVISION:
        click.echo(f"台账为旧版程序所写，使用前先运行 huanjie store upgrade --store {store} --backup 新文件")


@cli.group(help="案件台账：新建、升级、复制到别处、另存链头。")
def store() -> None:
    """Make, upgrade and guard the ledger."""


@store.command("init", help="新建案件台账。")
@_STORE
def store_init(store: str) -> None:
    """Make an empty ledger; one that is there is left as it is."""
    from huanjie_lib.store.ledger import open_ledger

    with open_ledger(store, create=True) as ledger:
        click.echo(f"台账已建好：{ledger.where}，{ledger.head().sequence} 个事件")


@store.command("upgrade", help="把旧版程序的案件台账升级到当前版本；升级前写出备份，不能降级。")
@_STORE
@click.option(
    "--backup", "backup_file", type=_FILE, default=None, help="升级前写出备份的新文件；须升级时必填。"
)
@_EVIDENCE
def store_upgrade(store: str, backup_file: Path | None, evidence: Path | None) -> None:
    """Back a ledger up and bring it to the newest revision."""
    from huanjie_lib.store.backup import upgrade
    from huanjie_lib.store.ledger import open_ledger

    made = upgrade(store, backup_file, evidence=evidence, code_version=__version__)
    if made is not None:
        click.echo(f"升级前的备份已写出并核对：{made}")
    with open_ledger(store, read_only=True) as ledger:
        click.echo(f"台账为当前版本：{ledger.where}，{ledger.head().sequence} 个事件")


@store.command("copy", help="把案件台账逐行复制到另一处空的台账，如迁移到 PostgreSQL；复制前先停止登记。")
@click.option("--from", "source", required=True, help=f"原台账：{_STORES}。")
@click.option("--to", "target", required=True, help=f"新台账，须为空：{_STORES}。")
@_EVIDENCE
def store_copy(source: str, target: str, evidence: Path | None) -> None:
    """Copy a ledger into an empty place, all chains as they stand."""
    from huanjie_lib.store.copying import copy_ledger

    head = copy_ledger(source, target, evidence=evidence)
    click.echo(
        f"已复制并逐行核对：{head.sequence} 个事件、{head.runs} 次发布、{head.decisions} 项决定，"
        f"链头 {head.hash}；佐证材料仍在原处。今后只用新台账，原台账改名留存"
    )


@store.command("head", help="另存链头，供以后核对台账没有被截断；请存到另一台机器或交他人保管。")
@_STORE
@click.option("--out", type=_FOLDER, required=True, help="存放链头的文件夹。")
def store_head(store: str, out: Path) -> None:
    """Keep the end of the ledger elsewhere."""
    from huanjie_lib.workbench import export_head

    path = export_head(store, out, day=dt.date.today())
    click.echo(f"链头已写入 {path}；以后用 huanjie check --ledger {store} --head {path} 核对")


@cli.group(help="人才库：新建密钥、更换密钥、写出空白登记表。")
def register() -> None:
    """Make what the register of the reserve needs."""


@register.command(
    "keys", help="为组织部门新建密钥文件；人员代号和封存的姓名都由它而来，请离线备份，丢失后无法恢复。"
)
@click.option("--out", type=_FILE, required=True, help="写入密钥的新文件。")
def register_keys(out: Path) -> None:
    """Draw new keys; a file that is there is never overwritten."""
    from huanjie_lib.access.keys import KeyRing

    keys = KeyRing.create(out)
    click.echo(f"密钥已写入 {out}，只有本人可读，编号 {keys.fingerprint}；请离线备份并限制知悉范围")


@register.command(
    "rotate",
    help="更换密钥：另写一个数据文件夹，人员代号和封存的姓名全部改用新密钥，逐表核对；原数据和旧密钥不动。",
)
@click.option("--data", type=_FOLDER, required=True, help="现用的数据文件夹。")
@click.option("--key", type=_FILE, required=True, help="现用的密钥文件。")
@click.option("--new-key", type=_FILE, required=True, help="写入新密钥的新文件。")
@click.option("--out", type=_FOLDER, required=True, help="写入新数据的新文件夹。")
@_PACK
@_REGION
def register_rotate(data: Path, key: Path, new_key: Path, out: Path, pack: Path | None, region: str) -> None:
    """Draw new keys and write the data folder anew under them."""
    from huanjie_lib.parameters import load_parameters
    from huanjie_lib.workbench import rotate_keys

    progress = _Progress()
    parameters = load_parameters(pack, region=region)
    done = rotate_keys(data, out, key=key, new_key=new_key, parameters=parameters, progress=progress)
    progress.close()
    click.echo(f"{done.summary()}。新数据在 {out}，新密钥在 {new_key}，请离线备份")
    click.echo("接着用新数据和新密钥重新运行 huanjie match；旧密钥封存到旧数据和旧备份销毁为止")


@register.command("template", help="写出空白的人才登记表（XLSX），供镇街填报。")
@click.option("--as-of", type=_Date(), required=True, help="表上的截至日期，如 2026-10-31。")
@click.option("--out", type=_FILE, required=True, help="写入的文件。")
def register_template(as_of: dt.date, out: Path) -> None:
    """Write the empty register form."""
    from huanjie_lib.exports.register_template import write_register_template

    write_register_template(out, as_of=as_of)
    click.echo(f"空白登记表已写入 {out}")


@cli.group(help="栏目对照：镇街报送表中不认得的列标题各是什么意思，由人确认后沿用。")
def mapping() -> None:
    """Say once what the headings of an office mean."""


@mapping.command("propose", help="列出不认得的列标题和可能的意思，供人核对；不覆盖已有的文件。")
@click.option("--data", type=_FOLDER, required=True, help="数据文件夹。")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="写入的文件（.yaml，一个单位）或文件夹（每个单位一个文件），如数据文件夹的 mappings。",
)
@click.option("--office", default=None, help="只列这个镇街或单位。")
@_PACK
@_REGION
def mapping_propose(data: Path, out: Path, office: str | None, pack: Path | None, region: str) -> None:
    """Write what unknown headings may mean."""
    from huanjie_lib.intake.folder import survey_returns
    from huanjie_lib.intake.mapping import write_proposals
    from huanjie_lib.parameters import load_parameters

    progress = _Progress()
    surveys, known, root = survey_returns(data, load_parameters(pack, region=region), progress=progress)
    progress.close()
    paths = write_proposals(surveys, out, known=known, root=root, office=office)
    if not paths:
        click.echo("报送表中没有不认得的列标题")
        return
    headings = sum(len(s.unknown) for s in surveys)
    click.echo(f"{len(surveys)} 张工作表有 {headings} 个不认得的列标题，已写入 {'、'.join(map(str, paths))}")
    click.echo("逐项核对 means 后，用 huanjie mapping confirm --file … --by 账号 确认；未确认的不会采用")


@mapping.command("confirm", help="核对过的栏目对照，写明由谁确认；有任何问题都不写。")
@click.option("--file", "path", type=_FILE, required=True, help="栏目对照文件。")
@click.option("--by", "account", required=True, help="确认人的账号。")
@click.option("--on", type=_Date(), default=None, help="确认日期；不填为今天。")
@_PACK
@_REGION
def mapping_confirm(path: Path, account: str, on: dt.date | None, pack: Path | None, region: str) -> None:
    """Write into a mapping who has confirmed it."""
    from huanjie_lib.intake.mapping import confirm_mapping
    from huanjie_lib.intake.sheets import SheetReader
    from huanjie_lib.parameters import load_parameters

    targets = SheetReader(load_parameters(pack, region=region).framework).targets
    count = confirm_mapping(path, targets, account=account, on=on or dt.date.today())
    click.echo(f"已确认 {path}：{count} 个列标题；放在数据文件夹的 mappings 文件夹内即可采用")


@cli.group(help="区划代码对照：比较两份名录，提出合并、拆分和变更代码的建议，由人确认。")
def crosswalk() -> None:
    """Find out what became of division codes."""


@crosswalk.command("propose", help="比较新旧名录，写出区划代码对照的建议和依据；不覆盖已有的文件。")
@click.option("--old", type=_FILE, required=True, help="旧名录：村(社区)代码和名称，可带边界。")
@click.option("--new", type=_FILE, required=True, help="新名录，如数据文件夹的 tables/units.parquet。")
@click.option("--effective-on", type=_Date(), required=True, help="新代码启用的日期，如 2027-01-01。")
@click.option("--out", type=_FILE, required=True, help="写入的 CSV 文件，如 tables/crosswalk.2027.csv。")
def crosswalk_propose(old: Path, new: Path, effective_on: dt.date, out: Path) -> None:
    """Write proposed changes of code with their evidence."""
    from huanjie_lib.intake.crosswalk import propose_crosswalk, read_units, write_proposal

    lists = [read_units(path) for path in (old, new)]
    boundaries = [areas for _, areas in lists if areas is not None]
    found = propose_crosswalk(lists[0][0], lists[1][0], effective_on=effective_on, boundaries=boundaries)
    write_proposal(found, out)
    click.echo(found.summary())
    click.echo(f"建议已写入 {out}，待人判断的代码在 {out.with_suffix('.md')}；逐行核对后确认")


class _Rows(click.ParamType[tuple[int, ...]]):
    """Row numbers written 2-5,8."""

    name = "行号"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Return the row numbers, or refuse them with an example of good ones."""
        del param, ctx
        if re.fullmatch(r"\d{1,7}(?:-\d{1,7})?(?:,\d{1,7}(?:-\d{1,7})?)*", str(value)) is None:
            fault = Fault("--rows", str(value), "行号，如 2-5,8", "按该写法重新输入")
            raise UsageError("行号写法不对", [fault])
        spans = [part.partition("-") for part in str(value).split(",")]
        return tuple(n for first, _, last in spans for n in range(int(first), int(last or first) + 1))


@crosswalk.command("confirm", help="写明对照的哪几行由谁确认；已确认的行不改。")
@click.option("--file", "path", type=_FILE, required=True, help="区划代码对照的 CSV 文件。")
@click.option("--by", "account", required=True, help="确认人的账号。")
@click.option("--on", type=_Date(), default=None, help="确认日期；不填为今天。")
@click.option("--rows", type=_Rows(), default=None, help="确认哪几行（表格软件中的行号），如 2-5,8。")
@click.option("--all", "every", is_flag=True, help="确认全部行。")
def crosswalk_confirm(
    path: Path, account: str, on: dt.date | None, rows: tuple[int, ...] | None, every: bool
) -> None:
    """Write into rows of a crosswalk who has confirmed them."""
    from huanjie_lib.intake.crosswalk import confirm_crosswalk

    if (rows is None) is not every:
        found = "两个都给出" if every else "都没有给出"
        raise UsageError("没有说明确认哪几行", [Fault("--rows 和 --all", found, "二者之一", "写明行号")])
    count = confirm_crosswalk(path, account=account, on=on or dt.date.today(), rows=rows)
    click.echo(f"已确认 {count} 行；{path} 放在数据文件夹的 tables 文件夹内即可采用")


@cli.command(help="写出空白的换届数据报送表（XLSX），每个镇街一份，供填报。")
@click.option("--data", type=_FOLDER, required=True, help="数据文件夹，取其中的村(社区)和镇街名录。")
@click.option("--as-of", type=_Date(), required=True, help="报送数据的日期，如 2026-10-31。")
@click.option("--out", type=_FOLDER, required=True, help="写入的文件夹；每个镇街一个文件夹。")
@click.option("--township", "chosen", multiple=True, help="只写这个镇街（名称或九位代码），可重复。")
@_PACK
@_REGION
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


@cli.command(help="在本机打开界面：选情总览、权重与分界线试算、整改闭环，或人才匹配。")
@click.option(
    "--run", "run_folder", type=_FOLDER, default=None, help="huanjie run 写出的文件夹；talent 界面可以不填。"
)
@click.option(
    "--app",
    "screen",
    type=click.Choice(["overview", "what_if", "casework", "talent", "all"]),
    default="overview",
    show_default=True,
    help="overview 为选情总览，what_if 为权重与分界线试算，casework 为整改闭环，talent 为人才匹配；"
    "all 为按所给参数能打开的全部界面，互相有链接。",
)
@click.option("--talent", type=_FOLDER, default=None, help="talent 界面的人才文件夹，由 huanjie match 写出。")
@click.option(
    "--key",
    type=_FILE,
    default=None,
    help="talent 界面的密钥文件，用来显示掩码后的姓名；不填则只显示代号。界面本身拿不到密钥。",
)
@click.option(
    "--proposals", type=_FOLDER, default=None, help="what_if 界面可以写入方案的文件夹；不填则不能写出方案。"
)
@click.option("--store", default=None, help=f"casework 和 talent 界面的台账：{_STORES}。")
@click.option("--account", default="", help="casework 和 talent 界面的登录账号，登记在它名下。")
@click.option("--office", default="", help="账号所属的单位，如 市换届办、云溪镇。")
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role if role is not Role.SYSTEM]),
    default=None,
    help="、".join(f"{role.value} {role.label}" for role in Role if role is not Role.SYSTEM) + "。",
)
@click.option("--scope", multiple=True, help="账号管辖的区划代码前几位，如 990101，可重复；不填为全部地区。")
@_EVIDENCE
@click.option("--reader", default=None, help="台账在 PostgreSQL 上时，只读账号的地址，供界面读取。")
@click.option(
    "--accounts", type=_FILE, default=None, help="账号表；经反向代理统一登录时用，只放行其中 --role 的账号。"
)
@click.option("--public", default=None, help="浏览器中使用的地址，如 https://huanjie.example.gov.cn。")
@click.option("--socket", "listen_at", type=_FILE, default=None, help="只供反向代理接入的 Unix 套接字。")
@click.option("--proxy-secret", type=_FILE, default=None, help="不用 --socket 时，反向代理须出示的密钥。")
@click.option("--most-pages", type=click.IntRange(1), default=40, show_default=True, help="最多打开的页面。")
@click.option(
    "--most-pages-each", type=click.IntRange(1), default=4, show_default=True, help="每人最多打开的页面。"
)
@click.option(
    "--warm", type=click.IntRange(0, 64), default=1, show_default=True, help="预先备好的页面，每个约 240 MB。"
)
@click.option("--site", type=_FILE, default=None, help="界面地址表：各界面在哪里打开，页面据此互相链接。")
@click.option("--login-on-stdin", is_flag=True, hidden=True)
@click.option("--port", type=click.IntRange(1, 65535), default=8866, show_default=True, help="端口。")
@click.option("--open", "open_browser", is_flag=True, help="启动后打开浏览器。")
def serve(
    run_folder: Path | None,
    screen: str,
    talent: Path | None,
    key: Path | None,
    proposals: Path | None,
    store: str | None,
    account: str,
    office: str,
    role: str | None,
    scope: tuple[str, ...],
    evidence: Path | None,
    reader: str | None,
    accounts: Path | None,
    public: str | None,
    listen_at: Path | None,
    proxy_secret: Path | None,
    most_pages: int,
    most_pages_each: int,
    warm: int,
    site: Path | None,
    login_on_stdin: bool,
    port: int,
    open_browser: bool,
) -> None:
    """Open a screen on this machine, or all of them."""
    from huanjie_lib.casework.events import Actor
    from huanjie_lib.screens.serve import Desk, TalentDesk
    from huanjie_lib.screens.serve import serve as serve_screen
    from huanjie_lib.screens.site import read_site

    if screen == "all":
        _serve_all(click.get_current_context().params)
    login = None
    if login_on_stdin:
        from huanjie_lib.screens.together import read_login

        login = read_login(sys.stdin.readline())

    desk = None
    sign_on = _sign_on(accounts, role, public, proxy_secret)
    if sign_on is not None:
        if store is not None or screen == "talent":
            actor = Actor(account, office, sign_on.role, scope) if any((account, office, scope)) else None
            desk = Desk(store, actor, evidence, reader)
    elif store is not None or (screen == "talent" and any((account, office, role))):
        if role is None:
            title = "不能打开人才匹配" if screen == "talent" else "不能打开整改闭环"
            fault = Fault("--role", "没有给出", "账号的角色，如 city、township", "补充 --role")
            raise UsageError(title, [fault])
        desk = Desk(store, Actor(account, office, Role.lookup()[role], scope), evidence, reader)
    elif any((account, office, role, scope, evidence, reader)):
        fault = Fault(
            "--account 等账号参数", "没有 --store", "与 --store 一起给出", "补充 --store 或去掉这些参数"
        )
        raise UsageError("没有指定案件台账", [fault])
    if key is not None and talent is None:
        fault = Fault("--key", "没有 --talent", "与 --talent 一起给出", "补充 --talent 或去掉 --key")
        raise UsageError("不能打开界面", [fault])
    serve_screen(
        run_folder,
        port=port,
        open_browser=open_browser,
        pool_size=warm,
        screen=screen,
        proposals=proposals,
        desk=desk,
        talent=None if talent is None else TalentDesk(talent, key),
        sign_on=sign_on,
        listen_at=listen_at,
        most=most_pages,
        most_each=most_pages_each,
        site=() if site is None else read_site(site),
        login=login,
        announce=click.echo,
    )


def _serve_all(given: Mapping[str, Any]) -> NoReturn:
    """Serve every screen that the options are enough for, with links from one to the other."""
    from huanjie_lib.screens.together import serve_together

    alone = [name for name in ("accounts", "public", "listen_at", "proxy_secret", "site") if given[name]]
    if alone or given["run_folder"] is None:
        found = "缺少 --run" if given["run_folder"] is None else "与反向代理的参数同时给出"
        allowed = "在本机打开，写明 --run；其余界面按 --store、--talent 等参数决定"
        remedy = "经反向代理时每个界面各自启动，用 --site 指定界面地址表"
        raise UsageError("不能一起打开", [Fault("--app all", found, allowed, remedy)])

    def told(*names: str) -> list[str]:
        """Return options as they were given, by the names of their parameters."""
        options = {one.name: one.opts[0] for one in serve.params}
        values = [(options[name], given[name]) for name in names]
        each = [
            (option, one)
            for option, value in values
            for one in (value if isinstance(value, tuple) else (value,))
            if one not in {None, ""}
        ]
        return [str(part) for pair in each for part in pair]

    common = ("most_pages", "most_pages_each", "warm")
    who = ("store", "reader", "evidence", "account", "office", "role", "scope")
    screens = {"overview": told("run_folder", *common), "what_if": told("run_folder", "proposals", *common)}
    if given["store"]:
        screens["casework"] = told("run_folder", *who, *common)
    if given["talent"]:
        screens["talent"] = told("talent", "key", *who, *common)
    code = serve_together(
        screens, port=given["port"], announce=click.echo, open_browser=given["open_browser"]
    )
    raise SystemExit(code)


def _sign_on(
    accounts: Path | None, role: str | None, public: str | None, proxy_secret: Path | None
) -> SignOn | None:
    """Return how a proxy signs people on, where it does."""
    from huanjie_lib.screens.sign_on import SignOn, checked_public, read_accounts, read_secret

    if accounts is None:
        if public is not None or proxy_secret is not None:
            remedy = "补充 --accounts，或去掉 --public 和 --proxy-secret"
            fault = Fault("--public、--proxy-secret", "没有 --accounts", "与 --accounts 一起给出", remedy)
            raise UsageError("不能启用统一登录", [fault])
        return None
    missing = [name for name, given in (("--role", role), ("--public", public)) if given is None]
    if role is None or public is None:
        faults = [Fault(name, "没有给出", "与 --accounts 一起给出", f"补充 {name}") for name in missing]
        raise UsageError("不能启用统一登录", faults)
    secret = None if proxy_secret is None else read_secret(proxy_secret)
    return SignOn(read_accounts(accounts), Role.lookup()[role], checked_public(public), secret)


@cli.command(
    help="从一次评估制作给某个角色看的快照：只含界面所需的表，不含台账、线索和输入文件名；给领导的还隐去来源和小数。"
)
@click.option("--run", "run_folder", type=_FOLDER, required=True, help="huanjie run 写出的文件夹。")
@click.option("--out", type=_FOLDER, required=True, help="写入快照的新文件夹。")
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role if role is not Role.SYSTEM]),
    default=Role.READER.value,
    show_default=True,
    help="给谁看；reader 为领导。",
)
@click.option("--scope", multiple=True, help="只含这些区划代码前几位的村（社区），可重复；不填为全部。")
def snapshot(run_folder: Path, out: Path, role: str, scope: tuple[str, ...]) -> None:
    """Cut the part of a run that a role may see."""
    from huanjie_lib.store.snapshot import write_snapshot

    viewer = Role.lookup()[role]
    units = write_snapshot(run_folder, out, role=viewer, scope=scope)["counts"]["units"]
    click.echo(f"快照已写入 {out}：{units} 个村（社区），供“{viewer.label}”查看")


@cli.command(help="按一种方法提出权重方案，写成参数包，并列出谁会变色。")
@click.option("--data", type=_FOLDER, required=True, help="数据文件夹。")
@click.option("--as-of", type=_Date(), required=True, help="截至日期，如 2026-10-31。")
@click.option(
    "--method",
    type=click.Choice(["equal", "ahp", "entropy", "critic", "sd", "combined"]),
    required=True,
    help="equal 等权，ahp 专家判断，entropy 熵权，critic CRITIC 法，sd 标准差，combined 判断与数据各半。",
)
@click.option("--judgments", type=_FILE, default=None, help="专家判断表（CSV），用于 ahp 和 combined。")
@click.option("--author", required=True, help="谁提出。")
@click.option("--reason", required=True, help="为什么提出。")
@click.option("--effective-from", type=_Date(), required=True, help="生效日期，如 2027-01-01。")
@click.option("--out", type=_FOLDER, required=True, help="写入方案参数包的新文件夹。")
@_PACK
@_REGION
def weights(
    data: Path,
    as_of: dt.date,
    method: str,
    judgments: Path | None,
    author: str,
    reason: str,
    effective_from: dt.date,
    out: Path,
    pack: Path | None,
    region: str,
) -> None:
    """Propose weights by a method, as a pack folder with the table of what it changes beside it."""
    from huanjie_lib.parameters import load_parameters
    from huanjie_lib.store.packs import check_target
    from huanjie_lib.workbench import assess, judgments_for, open_data, propose_weights, write_proposal

    check_target(out, author=author, reason=reason)  # before the minute that the figures take
    parameters = load_parameters(pack, region=region)
    chosen = cast("Method", method)
    group = judgments_for(chosen, judgments, parameters.framework)
    _tell_dates(parameters, as_of)
    progress = _Progress()
    intake = open_data(data, parameters, progress=progress)
    run = assess(intake, as_of=as_of, parameters=parameters, progress=progress)
    progress.close()
    proposal = propose_weights(run, chosen, judgments=group)
    table, effect = write_proposal(
        run, proposal, out, author=author, reason=reason, effective_from=effective_from
    )
    click.echo(proposal.explain())
    changed = int(effect.changes_colour.sum())
    click.echo(f"{len(effect.units)} 个村（社区）中有 {changed} 个变色，详见 {table}")
    click.echo(f"方案已写入 {out}；采用时运行 huanjie run --pack {out}")


_EXPORTED = "导出记入其中的查阅日志"
_PROCESSES = 2
"""Processes that make the files of a pack side by side."""


def _handing_out(command: _Command) -> _Command:
    """Add the options that say who hands a file out; each page bears it."""
    roles = [role.value for role in Role if role is not Role.SYSTEM]
    for option in (
        click.option(
            "--role",
            type=click.Choice(roles),
            default=Role.CITY.value,
            show_default=True,
            help="导出人的角色。",
        ),
        click.option("--office", default="", help="导出人的单位。"),
        click.option("--account", default=None, help="导出人的账号，印在每一页上；不填用本机的登录名。"),
    ):
        command = option(command)
    return command


def _stamp(account: str | None, office: str, role: str, purpose: str) -> Stamp:
    import getpass

    from huanjie_lib.views.stamp import Stamp

    who = account or getpass.getuser()
    return Stamp(who, office, Role.lookup()[role], purpose, dt.datetime.now(_BEIJING).date())


def _noting(
    store: str | None, stamp: Stamp, purpose: Purpose
) -> Callable[[Mapping[str, bytes]], None] | None:
    """Return what puts files into the access log before they are handed out; nothing without a ledger."""
    if store is None:
        return None

    def note(files: Mapping[str, bytes]) -> None:
        import uuid

        from huanjie_lib.store.access_log import AccessEntry
        from huanjie_lib.store.ledger import open_ledger

        with open_ledger(store) as ledger:
            for name, content in files.items():
                entry = AccessEntry(
                    entry_id=uuid.uuid4().hex,
                    action=AccessAction.EXPORT,
                    purpose=purpose,
                    subject=name,
                    digest=hashlib.sha256(content).hexdigest(),
                    items=1,
                )
                ledger.log_access(entry, _actor(stamp.account, stamp.office, stamp.role.value))

    return note


@cli.command(
    help="写出会议材料：汇报（DOCX、PDF）、幻灯片（PPTX）、离线网页（HTML）、工作清单和台账（XLSX）、"
    "A3 地图（PDF、SVG）；每一页印有导出人和日期。--township 只写一个镇街，--unit 只写一村一策。"
)
@click.option(
    "--run",
    "run_folder",
    type=_FOLDER,
    required=True,
    help="huanjie run 写出的文件夹，或放着多次评估的文件夹（用 --as-of 选定）。",
)
@click.option("--as-of", type=_Date(), default=None, help="评估的截至日期，如 2026-10-31。")
@click.option("--out", type=_FOLDER, required=True, help="写入文件的文件夹。")
@click.option("--store", default=None, help=f"案件台账：{_STORES}；不填则没有案件；{_EXPORTED}。")
@click.option("--last", type=_FOLDER, default=None, help="上次会议所用的评估文件夹；不填与上期相比。")
@click.option("--backtest", "tested", type=_FOLDER, default=None, help="huanjie backtest 写出的文件夹。")
@click.option("--township", default="", help="只写一个镇街：区划代码的前 9 位；没有 HTML。")
@click.option("--unit", "units", multiple=True, help="只写这些村（社区）的一村一策：12 位代码，可重复。")
@click.option("--plans", is_flag=True, help="连同每个红色村（社区）的一村一策。")
@_handing_out
def export(
    run_folder: Path,
    as_of: dt.date | None,
    out: Path,
    store: str | None,
    last: Path | None,
    tested: Path | None,
    township: str,
    units: tuple[str, ...],
    plans: bool,
    account: str | None,
    office: str,
    role: str,
) -> None:
    """Write the meeting pack of a run, of one of its townships, or the plans of some of its units."""
    from huanjie_lib.access.roles import may_read
    from huanjie_lib.casework.events import Actor
    from huanjie_lib.exports.casework import casework_seen, export_plans
    from huanjie_lib.exports.meeting import export_meeting
    from huanjie_lib.store.ledger import open_ledger
    from huanjie_lib.store.run_folder import read_ledgers, read_run, run_of_date
    from huanjie_lib.store.snapshot import seen_by, snapshot_role
    from huanjie_lib.views.meeting import Backtest, meeting_of

    stamp, progress = _stamp(account, office, role, "换届工作会议"), _Progress()
    if stamp.role is Role.TOWNSHIP and not township:
        fault = Fault("--township", "没有给出", "本镇街区划代码的前 9 位", "补充 --township")
        raise UsageError("镇街账号只能导出本镇街的材料", [fault])
    folder = run_of_date(run_folder, as_of)
    run = read_run(folder)
    if snapshot_role(folder) is None:
        run = seen_by(run, stamp.role)
    actor = Actor(stamp.account, office, stamp.role, (township,) if township else ())
    casework = None
    if may_read(stamp.role, "ledgers/alerts", "casework"):
        with ExitStack() as stack:
            ledger = None if store is None else stack.enter_context(open_ledger(store, read_only=True))
            casework = casework_seen(run, read_ledgers(folder), ledger=ledger, today=stamp.day, actor=actor)
    gaps: list[str] = []
    if units:
        noted = _noting(store, stamp, "casework")
        paths = export_plans(
            run, casework, out, units, actor=actor, stamp=stamp, noted=noted, progress=progress
        )
    else:
        meeting = meeting_of(
            run,
            ledgers=None if casework is None else casework.ledgers,
            cases=None if casework is None else casework.cases,
            events=None if casework is None else casework.events,
            head=None if casework is None else casework.head,
            earlier=None if last is None else read_run(last),
            backtest=None if tested is None else Backtest.read(tested),
            township=township,
            today=stamp.day,
        )
        paths = export_meeting(
            meeting,
            run,
            out,
            casework=casework,
            plans=plans,
            stamp=stamp,
            noted=_noting(store, stamp, "risk"),
            progress=progress,
            processes=min(_PROCESSES, os.cpu_count() or 1),
        )
        told = json.loads(paths[-1].read_text(encoding="utf-8"))
        gaps += [*sorted(set(told["omitted"].values())), *meeting.gaps]
    progress.close()
    folders = sorted({path.parent.name for path in paths if path.parent != out})
    names = [path.name for path in paths if path.parent == out] + [f"{name}/" for name in folders]
    click.echo(f"已写出 {len(paths)} 个文件到 {out}：{'、'.join(names)}")
    for gap in gaps:
        click.echo(f"没有的内容：{gap}", err=True)


@cli.command(help="写出台账工作簿和一村一策；有 --store 时连同案件。")
@click.option("--run", "run_folder", type=_FOLDER, required=True, help="huanjie run 写出的文件夹。")
@click.option("--out", type=_FOLDER, required=True, help="写入文件的文件夹。")
@click.option("--store", default=None, help=f"案件台账：{_STORES}；不填则没有案件；{_EXPORTED}。")
@click.option(
    "--restricted",
    is_flag=True,
    help="连同限定范围的内容：审计对象、谈话、离任安置和异常线索案件；须同时给出 --store。",
)
@click.option("--plans/--no-plans", default=True, show_default=True, help="是否写出红色村的一村一策。")
@click.option("--sheet", "sheets", multiple=True, help="要张贴审计明白账的村（社区）代码，可重复。")
@click.option("--scope", multiple=True, help="只写这些区划代码前几位的村（社区），可重复；不填为全部。")
@_handing_out
def ledgers(
    run_folder: Path,
    out: Path,
    store: str | None,
    restricted: bool,
    plans: bool,
    sheets: tuple[str, ...],
    scope: tuple[str, ...],
    account: str | None,
    office: str,
    role: str,
) -> None:
    """Write the ledgers of a run and its cases, and the documents made from them."""
    from huanjie_lib.casework.events import Actor
    from huanjie_lib.exports.casework import export_casework
    from huanjie_lib.store.ledger import open_ledger
    from huanjie_lib.store.run_folder import read_ledgers, read_run

    if restricted and store is None:
        allowed = "与 --restricted 一起给出：限定范围的内容，导出须记入查阅日志"
        raise UsageError(
            "没有写出台账", [Fault("--store", "没有给出", allowed, "补充 --store，或去掉 --restricted")]
        )
    stamp = _stamp(account, office, role, "整改督办")
    run, frames = read_run(run_folder), read_ledgers(run_folder, restricted=restricted)
    progress = _Progress()
    with ExitStack() as stack:
        ledger = None if store is None else stack.enter_context(open_ledger(store, read_only=True))
        paths = export_casework(
            run,
            frames,
            out,
            ledger=ledger,
            restricted=restricted,
            plans=plans,
            sheets=sheets,
            today=stamp.day,
            actor=Actor(stamp.account, office, stamp.role, scope),
            stamp=stamp,
            noted=_noting(store, stamp, "casework"),
            progress=progress,
        )
    progress.close()
    click.echo(f"已写出 {len(paths)} 个文件到 {out}，其中台账：{paths[0].name}")


class _Direction(click.ParamType[tuple[str, int]]):
    """A feature and whether more of it means more risk, written COLUMN=+1 or COLUMN=-1."""

    name = "方向"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        """Return column and sign, or refuse it with an example of a good one."""
        del param, ctx
        column, _, sign = str(value).rpartition("=")
        signs = {"+1": 1, "1": 1, "+": 1, "-1": -1, "-": -1}
        if not column or sign.strip() not in signs:
            raise UsageError(
                "方向写法不对",
                [Fault("--direction", str(value), "列名=+1 或 列名=-1，如 turnout=-1", "按该写法重新输入")],
            )
        return column.strip(), signs[sign.strip()]


@cli.command(
    help="用往届数据回测：预警是否应验，模型是否好于选情指数。只用选举前已有的数据，泄漏结果的列会被拒绝。"
)
@click.option("--history", type=_FILE, required=True, help="往届数据（CSV 或 Parquet），每个单位每届一行。")
@click.option(
    "--outcomes", type=_FILE, required=True, help="结果数据，每个单位每届一行；可与 --history 相同。"
)
@click.option("--unit", required=True, help="单位所在的列。")
@click.option("--term", required=True, help="届次所在的列，如年份。")
@click.option("--outcome", required=True, help="结果所在的列：1 为发生，0 为没有发生，空为没有结果。")
@click.option("--test-term", required=True, help="要检验的届次；特征只取自它之前的届次。")
@click.option("--out", type=_FOLDER, required=True, help="写入回测结果的文件夹。")
@click.option(
    "--region",
    default=None,
    help="片区所在的列，检验时整片留出。不填则按 12 位代码的前 6 位（县），或名称中的县（市）判断；"
    "不足 5 个时用镇街。",
)
@click.option(
    "--features", multiple=True, help="只用这些列作特征，可重复或用英文逗号分开；不填用全部数字列。"
)
@click.option(
    "--direction",
    "directions",
    type=_Direction(),
    multiple=True,
    help="列名=+1（越大越有风险）或 列名=-1，可重复；等权排名只用写明方向的列。",
)
@click.option("--pack", type=_FOLDER, default=None, help="参数包文件夹；给出后一并检验其选情指数。")
@click.option(
    "--neighbours", type=_FILE, default=None, help="相邻片区表（列 region、neighbour），相邻的也留出。"
)
@click.option(
    "--capacity",
    "capacities",
    type=click.IntRange(1, 1_000_000),
    multiple=True,
    help="能检查多少个单位，可重复；不填用 5%、10%、20%。",
)
@click.option("--seed", type=int, default=20261031, show_default=True, help="随机种子。")
def backtest(
    history: Path,
    outcomes: Path,
    unit: str,
    term: str,
    outcome: str,
    test_term: str,
    out: Path,
    region: str | None,
    features: tuple[str, ...],
    directions: tuple[tuple[str, int], ...],
    pack: Path | None,
    neighbours: Path | None,
    capacities: tuple[int, ...],
    seed: int,
) -> None:
    """Backtest past elections and write the scorecard with its pictures and model card."""
    from huanjie_lib.exports.backtest import export_backtest
    from huanjie_lib.intake.files import digest
    from huanjie_lib.workbench import backtest_panel

    options: dict[str, Any] = {
        "unit": unit,
        "term": term,
        "outcome": outcome,
        "test_term": test_term,
        "region": region,
        "features": [name.strip() for given in features for name in given.split(",")] or None,
        "directions": dict(directions),
        "capacities": list(capacities) or None,
        "seed": seed,
    }
    card = backtest_panel(
        history,
        outcomes,
        pack=pack,
        neighbours=neighbours,
        **options,
    )
    read = [digest(path, path.name) for path in dict.fromkeys((history, outcomes, neighbours)) if path]
    inputs = [{"path": file.path, "sha256": file.sha256, "bytes": file.bytes} for file in read]
    export_backtest(card, out, inputs=inputs, options=options)
    for line in card.notes:
        click.echo(line)
    for name in card.scores.index:
        click.echo(card.explain(name))
    click.echo(f"结果在 {out}，先看 model_card.md")


def _acting(command: _Command) -> _Command:
    """Add the options that say who acts."""
    roles = [role.value for role in Role if role is not Role.SYSTEM]
    told = "、".join(f"{role.value} {role.label}" for role in Role if role is not Role.SYSTEM)
    for option in (
        click.option("--role", type=click.Choice(roles), required=True, help=f"账号的角色：{told}。"),
        click.option("--office", default="", help="账号所属的单位，如 市委组织部。"),
        click.option("--account", required=True, help="操作的账号，记入日志。"),
    ):
        command = option(command)
    return command


def _actor(account: str, office: str, role: str) -> Actor:
    from huanjie_lib.casework.events import Actor

    return Actor(account, office, Role.lookup()[role])


@cli.group(help="查阅日志：谁在什么时候因为什么看过、导出或删除过个人信息。")
def access() -> None:
    """Show names for a reason, and who has seen what."""


@access.command("log", help="列出查阅日志；日志不含姓名和号码。")
@_STORE
@click.option("--since", type=_Date(), default=None, help="从哪一天起，如 2026-11-01；不填为全部。")
@click.option("--of", "account", default=None, help="只列这个账号的；不填为全部账号。")
def access_log(store: str, since: dt.date | None, account: str | None) -> None:
    """List the access log."""
    from huanjie_lib.store.ledger import open_ledger
    from huanjie_lib.views.words import local_time

    with open_ledger(store, read_only=True) as ledger:
        log = ledger.access_log(since=since, account=account)
    actions, roles = AccessAction.labels(), Role.labels()
    for row in log.to_dict("records"):
        parts = [row["subject"], row["detail"], row["reason"]]
        who = f"{row['office']} {row['account']}".strip()
        click.echo(
            f"{row['number']}　{local_time(row['recorded_at'])}　{who}（{roles[row['role']]}）　"
            f"{actions[row['action']]}：{'　'.join(filter(None, parts))}"
        )
    click.echo(f"共{len(log)}条")


@access.command("show", help="查看一名人员的姓名：须写明事由，先记入查阅日志再显示。")
@click.option("--person", required=True, help="人员代号。")
@click.option("--reason", required=True, help="查看的工作事由，不少于4个字，不写姓名和号码。")
@click.option("--data", type=_FOLDER, required=True, help="有 tables/identities.parquet 的数据文件夹。")
@click.option("--key", type=_FILE, required=True, help="组织部门的密钥文件。")
@_STORE
@_acting
def access_show(
    person: str, reason: str, data: Path, key: Path, store: str, account: str, office: str, role: str
) -> None:
    """Show one name, after the log has it."""
    from huanjie_lib.store.ledger import open_ledger

    with open_ledger(store) as ledger:
        seen = _unmasked(ledger, data, key, person, _actor(account, office, role), reason, "姓名")
    click.echo(f"{person}：{seen.name}（已记入查阅日志第 {seen.logged.number} 条）")


def _unmasked(
    ledger: Ledger, data: Path, key: Path, person: str, actor: Actor, reason: str, detail: str
) -> Unmasked:
    """Log who sees whose name and why, then open it."""
    import uuid

    from huanjie_lib.access.hiding import without_names
    from huanjie_lib.access.keys import KeyRing
    from huanjie_lib.access.masking import Logged, opened_names, unmask
    from huanjie_lib.store.access_log import AccessEntry
    from huanjie_lib.store.retention import held_tables

    identities, keys = held_tables(data).get("identities"), KeyRing.read(key)
    if identities is None or person not in set(identities["person_ref"]):
        fault = Fault(
            "--person", "没有这个人的姓名", "tables/identities 中的人员代号", "核对代号和数据文件夹"
        )
        raise UsageError("没有查看原文", [fault])
    told = {
        "entry_id": uuid.uuid4().hex,
        "action": AccessAction.UNMASK.value,
        "purpose": "identity",
        "subject": person,
        "detail": detail,
        "reason": without_names(reason.strip(), opened_names(identities, keys)),
    }
    row = ledger.log_access(AccessEntry.from_json(json.dumps(told)), actor)
    return unmask(identities, keys, Logged(person, row["number"], row["hash"]))


@cli.group(help="个人申请：查阅复制、更正、删除本人信息，登记收到和答复。")
def request() -> None:
    """Record what people ask of the data held on them."""


@request.command("person", help="由身份证号找到人员代号：号码在提示后输入，不显示、不保存。")
@click.option("--key", type=_FILE, required=True, help="组织部门的密钥文件。")
def request_person(key: Path) -> None:
    """Tell the pseudonym of whoever stands before the desk."""
    from huanjie_lib.access.id_numbers import IdFlaw, read_id_number
    from huanjie_lib.access.keys import KeyRing

    keys = KeyRing.read(key)
    number = read_id_number(click.prompt("身份证号", hide_input=True))
    if isinstance(number, IdFlaw):
        raise UsageError("身份证号不对", [Fault("身份证号", number.found, "18位的身份证号", number.remedy)])
    click.echo(keys.pseudonym("person", number.text))


@request.command(
    "places",
    help="列出一个人的信息还在哪些地方：数据、评估、人才文件夹、台账、备份和导出的文件，各怎么处理。",
)
@click.option("--person", required=True, help="人员代号。")
@click.option("--data", type=_FOLDER, multiple=True, help="数据文件夹，可重复。")
@click.option("--run", "runs", type=_FOLDER, multiple=True, help="评估文件夹，可重复。")
@click.option("--talent", "talents", type=_FOLDER, multiple=True, help="人才文件夹，可重复。")
@click.option("--folder", "folders", type=_FOLDER, multiple=True, help="其他文件夹，如导出的文件，可重复。")
@click.option("--backup", "backups", type=_FILE, multiple=True, help="台账的备份，可重复。")
@click.option("--key", type=_FILE, default=None, help="密钥文件；给出后台账中更换密钥以前的代号也能认出。")
@_STORE
def request_places(
    person: str,
    data: tuple[Path, ...],
    runs: tuple[Path, ...],
    talents: tuple[Path, ...],
    folders: tuple[Path, ...],
    backups: tuple[Path, ...],
    key: Path | None,
    store: str,
) -> None:
    """List every place in which a person stands, and what is to be done about it."""
    from huanjie_lib.store.ledger import open_ledger
    from huanjie_lib.store.traces import in_backup, in_folder, in_ledger

    keys = _keys(key)
    recognise = None if keys is None else lambda refs: keys.recognised(refs, {person})
    searched = {"data": data, "run": runs, "talent": talents, "folder": folders}
    found = [
        one
        for kind, places in searched.items()
        for place in places
        for one in in_folder(place, person, kind=kind)
    ]
    with open_ledger(store, read_only=True) as ledger:
        found += in_ledger(ledger, person, recognise=recognise)
    for backup_file in backups:
        found += in_backup(backup_file, person, recognise=recognise)
    for one in found:
        click.echo(f"{one.place}（{one.times}处）：{one.remedy}")
    for what, places in (
        ("数据文件夹", data),
        ("人才文件夹", talents),
        ("评估文件夹", runs),
        ("备份", backups),
    ):
        if not places:
            click.echo(f"没有查找{what}：参数中没有给出", err=True)
    click.echo(
        "登记表中只有姓名和号码，查不到代号：删除时给出 --key，由 huanjie retention 从中删去", err=True
    )
    click.echo("佐证材料、打印件和已经拷走的文件查不到：请核对本人所在村（社区）的案件和领取记录", err=True)
    click.echo(f"共{len(found)}处")


@request.command("open", help="登记收到一件申请，并推算答复期限。")
@click.option("--person", required=True, help="申请人的人员代号。")
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in RequestKind]),
    required=True,
    help="、".join(f"{kind.value} {kind.label}" for kind in RequestKind) + "。",
)
@click.option("--on", "received", type=_Date(), default=None, help="收到的日期；不填为今天。")
@click.option("--request", "request_id", default=None, help="申请编号；不填由程序编号。")
@_STORE
@_acting
@_PACK
def request_open(
    person: str,
    kind: str,
    received: dt.date | None,
    request_id: str | None,
    store: str,
    account: str,
    office: str,
    role: str,
    pack: Path | None,
) -> None:
    """Record that a request came in."""
    import uuid

    from huanjie_lib.casework.workdays import Workdays
    from huanjie_lib.parameters import WorkCalendar, load_parameters, load_privacy
    from huanjie_lib.store.ledger import open_ledger

    casework = load_parameters(pack).casework
    workdays = Workdays(WorkCalendar() if casework is None else casework.calendar)
    day = received or dt.datetime.now(_BEIJING).date()
    due = workdays.add(day, load_privacy(pack).request_workdays)
    name = request_id or f"SQ{day:%Y%m%d}-{uuid.uuid4().hex[:6]}"
    told = {"event_id": f"{name}-open", "request_id": name, "step": RequestStep.RECEIVE, "kind": kind}
    event = _request_event({**told, "person_ref": person, "happened_on": day, "due_on": due.date})
    with open_ledger(store) as ledger:
        ledger.request(event, _actor(account, office, role))
    note = f"（{due.note}）" if due.note else ""
    click.echo(f"已登记申请 {name}：{event.kind.label}，{date_text(due.date)}前答复{note}")


@request.command("answer", help="登记一件申请的答复；不能办理或只能部分办理的写明理由。")
@click.option("--request", "request_id", required=True, help="申请编号。")
@click.option(
    "--result",
    type=click.Choice([result.value for result in RequestResult]),
    required=True,
    help="、".join(f"{result.value} {result.label}" for result in RequestResult) + "。",
)
@click.option("--reason", default="", help="理由或说明，不写姓名和号码。")
@click.option("--on", "answered", type=_Date(), default=None, help="答复的日期；不填为今天。")
@_STORE
@_acting
def request_answer(
    request_id: str,
    result: str,
    reason: str,
    answered: dt.date | None,
    store: str,
    account: str,
    office: str,
    role: str,
) -> None:
    """Record how a request was answered."""
    from huanjie_lib.store.ledger import open_ledger

    day = answered or dt.datetime.now(_BEIJING).date()
    with open_ledger(store) as ledger:
        known = ledger.requests().set_index("request_id")
        if request_id not in known.index:
            fault = Fault("--request", request_id, "已登记的申请编号", "用 huanjie request list 查看")
            raise UsageError("没有这件申请", [fault])
        before = {name: str(known.loc[request_id, name]) for name in ("kind", "person_ref", "due_on")}
        told = {"event_id": f"{request_id}-answer", "request_id": request_id, "step": RequestStep.ANSWER}
        event = _request_event({**told, **before, "happened_on": day, "result": result, "reason": reason})
        ledger.request(event, _actor(account, office, role))
    late = "，已超过答复期限" if day > event.due_on else ""
    click.echo(f"已登记答复 {request_id}：{RequestResult.labels()[result]}{late}")


def _request_event(told: dict[str, Any]) -> RequestEvent:
    from pydantic import ValidationError

    from huanjie_lib.store.requests import RequestEvent

    try:
        return RequestEvent(**told)
    except ValidationError as error:
        names = {"person_ref": "--person", "request_id": "--request", "event_id": "--request"}
        places = sorted({str(detail["loc"][0]) for detail in error.errors()})
        allowed = "1 到 64 个英文字母、数字、连字符或下划线；理由不超过 500 字"
        faults = [Fault(names.get(one, one), "不能识别", allowed, "改正后再登记") for one in places]
        raise UsageError("申请没有登记", faults) from None


@request.command("list", help="列出个人申请，快到期的在前；有逾期没有答复的，退出码为 3。")
@_STORE
@click.option("--as-of", type=_Date(), default=None, help="截至日期；不填为今天。")
def request_list(store: str, as_of: dt.date | None) -> None:
    """List requests; what is overdue is an error."""
    from huanjie_lib.store.ledger import open_ledger

    day = (as_of or dt.datetime.now(_BEIJING).date()).isoformat()
    with open_ledger(store, read_only=True) as ledger:
        frame = ledger.requests()
    kinds, results = RequestKind.labels(), RequestResult.labels()
    overdue = (frame["answered_on"] == "") & (frame["due_on"] < day)
    for row, late in zip(frame.to_dict("records"), overdue, strict=True):
        state = results.get(row["result"], "逾期未答复" if late else "办理中")
        note = f"：{row['reason']}" if row["reason"] else ""
        ends = f"{row['answered_on']}答复" if row["answered_on"] else f"{row['due_on']}前答复"
        click.echo(
            f"{row['request_id']}　{kinds[row['kind']]}　{row['person_ref']}　"
            f"{row['received_on']}收到，{ends}　{state}{note}"
        )
    waiting = int((frame["answered_on"] == "").sum())
    click.echo(f"共{len(frame)}件，办理中{waiting}件，逾期{int(overdue.sum())}件")
    if overdue.any():
        raise SystemExit(3)


@request.command("copy", help="写出一个人的全部信息（XLSX），交给本人；先记入查阅日志再写出。")
@click.option("--person", required=True, help="人员代号。")
@click.option("--reason", required=True, help="事由，如 本人于 11 月 2 日申请查阅。")
@click.option("--data", type=_FOLDER, required=True, help="数据文件夹。")
@click.option("--talent", type=_FOLDER, default=None, help="人才文件夹；给出后连同计算的结果。")
@click.option("--key", type=_FILE, default=None, help="密钥文件；给出后写明姓名和身份证号。")
@click.option("--out", type=_FILE, required=True, help="写入的新文件，如 个人信息副本.xlsx。")
@_STORE
@_acting
@_PACK
def request_copy(
    person: str,
    reason: str,
    data: Path,
    talent: Path | None,
    key: Path | None,
    out: Path,
    store: str,
    account: str,
    office: str,
    role: str,
    pack: Path | None,
) -> None:
    """Write everything that is held about one person."""
    import uuid

    from huanjie_lib.access.roles import require
    from huanjie_lib.exports.pack import put_files
    from huanjie_lib.exports.person_copy import person_workbook
    from huanjie_lib.parameters import load_privacy
    from huanjie_lib.store.access_log import AccessEntry
    from huanjie_lib.store.ledger import open_ledger
    from huanjie_lib.store.retention import held_tables
    from huanjie_lib.store.talent_folder import read_talent
    from huanjie_lib.views.stamp import Stamp

    if out.exists():
        raise UsageError("没有写出副本", [Fault("--out", str(out), "还没有的文件", "换一个文件名")])
    actor, day = _actor(account, office, role), dt.datetime.now(_BEIJING).date()
    require(actor.role, "talent/people", "talent")
    stamp = Stamp(account, office, actor.role, "答复个人申请", day, "个人信息，交本人")
    with open_ledger(store) as ledger:
        named = None
        if key is not None:
            named = _unmasked(ledger, data, key, person, actor, reason, "姓名、身份证号")
        try:
            content = person_workbook(
                person,
                held_tables(data),
                stamp=stamp,
                terms=load_privacy(pack),
                identity=named,
                run=None if talent is None else read_talent(talent),
                decisions=ledger.decisions(),
                log=ledger.access_log(),
                requests=ledger.requests(),
            )
        except KeyError as error:
            fault = Fault("--person", person, "数据中有的人员代号", "核对代号和数据文件夹")
            raise UsageError("没有持有这个人的信息", [fault]) from error
        told = {"entry_id": uuid.uuid4().hex, "action": AccessAction.REQUEST.value, "purpose": "talent"}
        told |= {"subject": person, "detail": "查阅复制", "digest": hashlib.sha256(content).hexdigest()}
        ledger.log_access(AccessEntry.from_json(json.dumps({**told, "items": 1, "reason": reason})), actor)
    put_files(out.parent, {out.name: content}, [])
    click.echo(f"个人信息副本已写入 {out}，已记入查阅日志；请核对本人身份后当面交付")


@cli.command(
    help="列出保存到期的个人信息；加 --apply 写出去掉它们的新数据文件夹，逐人记入查阅日志，不动原文件夹。"
)
@click.option("--data", type=_FOLDER, required=True, help="数据文件夹。")
@click.option("--as-of", type=_Date(), required=True, help="截至日期，如 2026-10-31。")
@click.option("--talent", "talents", type=_FOLDER, multiple=True, help="一并检查的人才文件夹，可重复。")
@click.option("--person", default=None, help="只处理这个代号的人：本人申请删除，不看期限。")
@click.option("--apply", "applied", is_flag=True, help="写出新的数据文件夹；须给出下面各项。")
@click.option("--out", type=_FOLDER, default=None, help="新的数据文件夹。")
@click.option("--store", default=None, help=f"案件台账：{_STORES}；删除记入其中的查阅日志。")
@click.option("--account", default="", help="操作的账号。")
@click.option("--office", default="", help="账号所属的单位。")
@click.option(
    "--role",
    type=click.Choice([Role.TALENT.value, Role.CITY.value]),
    default=Role.TALENT.value,
    help="角色。",
)
@click.option("--reason", default="", help="删除的事由，不少于4个字。")
@click.option("--key", type=_FILE, default=None, help="密钥文件；给出后也从登记表中删去到期的人员。")
@_PACK
def retention(
    data: Path,
    as_of: dt.date,
    talents: tuple[Path, ...],
    person: str | None,
    applied: bool,
    out: Path | None,
    store: str | None,
    account: str,
    office: str,
    role: str,
    reason: str,
    key: Path | None,
    pack: Path | None,
) -> None:
    """Tell what has been kept long enough, and write a data folder without it."""
    from huanjie_lib.access.retention import asked_for, due, folder_due_on
    from huanjie_lib.contracts import TABLES
    from huanjie_lib.parameters import load_parameters, load_privacy
    from huanjie_lib.store.ledger import open_ledger
    from huanjie_lib.store.retention import forms_in, held_tables, together, write_kept
    from huanjie_lib.store.talent_folder import read_talent

    terms = load_privacy(pack)
    returns = _Returns(data, load_parameters(), _keys(key))
    tables = together(held_tables(data), returns.rows(data))
    try:
        found = (
            due(tables, terms, as_of=as_of)
            if person is None
            else asked_for(tables, terms, person_ref=person, as_of=as_of)
        )
    except KeyError as error:
        fault = Fault("--person", str(person), "人才库中的人员代号", "核对代号和数据文件夹")
        raise UsageError("没有持有这个人的信息", [fault]) from error
    for term in terms.terms if person is None else ():
        click.echo(found.explain(term.id))
    for folder in talents:
        ends = folder_due_on(read_talent(folder).as_of, terms)
        state = "已到期，请删除整个文件夹" if ends <= as_of else f"{date_text(ends)}到期"
        kept = f"保存{terms.talent_folder_months}个月，{terms.talent_folder_basis}"
        click.echo(f"人才文件夹 {folder}（{kept}）：{state}。")
    click.echo(f"日志至少保存{terms.log_months}个月（{terms.log_basis}）；本程序从不删除日志。")
    click.echo(f"影响评估报告至少保存{terms.assessment_months}个月（{terms.assessment_basis}）。")
    if not applied:
        click.echo(f"共{len(found.frame)}项到期；加 --apply 处理")
        return
    given = {"--out": out, "--store": store, "--account": account, "--reason": reason}
    missing = [name for name, value in given.items() if not value]
    if out is None or store is None or missing:
        faults = [Fault(name, "没有给出", "与 --apply 一起给出", f"补充 {name}") for name in missing]
        raise UsageError("没有处理到期的信息", faults)
    with open_ledger(store) as ledger:
        actor = _actor(account, office, role)
        done = write_kept(data, out, found, ledger=ledger, actor=actor, reason=reason, returns=returns)
    rows = "、".join(f"{TABLES[name].label}{count}条" for name, count in done.removed.items())
    click.echo(f"已写入 {out}：去掉{rows}；查阅日志记了{done.entries}条")
    for file, name, row in done.struck.itertuples(index=False):
        sheet = f"工作表“{name}”" if name else ""
        click.echo(f"已从 {file} {sheet}第{row}行删去内容，该行留空")
    for form in forms_in(data) if key is None else ():
        click.echo(f"提醒：没有给出密钥（--key），没有改动 {form}；其中到期的人员下次又会登记", err=True)
    if done.unjudged:
        click.echo(
            f"提醒：登记表中有{done.unjudged}行没有通过检查，认不出是谁，没有改动；改正后再处理", err=True
        )
    click.echo("评估和检查报告中的隔离文件也含这些行：请用新的数据文件夹重新检查、评估，再删除旧的报告")
    click.echo(f"原文件夹 {data} 没有改动；核对无误后请自行删除，并从备份中清除")
    if person is not None:
        click.echo("人才文件夹、评估文件夹、备份和导出的文件里可能还有：用 huanjie request places 逐处查找")


class _Returns:
    """Reads rows about people that lie in returns, and strikes them out."""

    def __init__(self, data: Path, parameters: ParameterSet, keys: KeyRing | None) -> None:
        self._data, self._parameters, self._keys = data, parameters, keys
        self._known: Filed | None = None

    def rows(self, data: Path) -> Filed:
        """Return what the returns of a data folder give; the folder itself, which stays, is read once."""
        if data != self._data:
            return self._read(data)
        self._known = self._known or self._read(data)
        return self._known

    def _read(self, data: Path) -> Filed:
        from huanjie_lib.contracts import TABLES
        from huanjie_lib.intake import read_folder
        from huanjie_lib.store.retention import Filed

        intake = read_folder(data, self._parameters, keys=self._keys)
        tables = {}
        for name, frame in intake.tables.items():
            if TABLES[name].personal:
                filed = frame["source_file"].astype("str") != f"tables/{name}.parquet"
                tables[name] = frame[filed.to_numpy()].reset_index(drop=True)
        others = {name: len(frame) for name, frame in intake.tables.items() if not TABLES[name].personal}
        return Filed(tables, len(intake.quarantine.get("register", ())), others)

    def strike(self, data: Path, places: pd.DataFrame) -> None:
        """Empty rows in the files of a data folder."""
        from huanjie_lib.intake.striking import strike_rows

        strike_rows(data, places)


def _keys(path: Path | None) -> KeyRing | None:
    from huanjie_lib.access.keys import KeyRing

    return None if path is None else KeyRing.read(path)


def _tell_dates(parameters: ParameterSet, as_of: dt.date) -> None:
    """Tell which packs are not in force on the as-of date; that is no reason to refuse."""
    for fault in parameters.not_in_force(as_of):
        click.echo(f"提醒：{fault}", err=True)


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


def _usage_message(error: click.UsageError) -> str:
    """Return click's complaint in Chinese."""
    see = "用 huanjie --help 查看用法"
    if isinstance(error, click.MissingParameter) and error.param is not None:
        return f"缺少参数 {'/'.join(error.param.opts)}；处理办法：补充该参数，{see}。"
    if isinstance(error, click.NoSuchOption):
        return f"没有参数 {error.option_name}；处理办法：{see}。"
    if isinstance(error, click.BadOptionUsage):
        return f"参数 {error.option_name} 后面缺少值；处理办法：补充该参数的值，{see}。"
    if isinstance(error, click.BadParameter) and error.param is not None:
        name, allowed = "/".join(error.param.opts), _allowed(error.param.type)
        return f"参数 {name} 的值不对；应为：{allowed}；处理办法：改为允许的值。"
    commands = "、".join(cli.commands)
    return f"命令用法有误（{error.format_message()}）；应为：{commands} 之一加参数；处理办法：{see}。"


def _allowed(kind: click.ParamType[Any]) -> str:
    if isinstance(kind, click.IntRange):
        return f"{kind.min} 到 {kind.max} 之间的整数"
    if isinstance(kind, click.Choice):
        return "、".join(map(str, kind.choices))
    if isinstance(kind, click.Path):
        return "文件夹，不能是文件" if kind.dir_okay else "文件，不能是文件夹"
    return "整数" if isinstance(kind, click.types.IntParamType) else "文字"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Examples
    --------
    >>> main(["run", "--data", "nowhere", "--as-of", "yesterday", "--out", "x"])
    2
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        result = cli.main(args=arguments, prog_name="huanjie", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except HuanjieError as error:
        click.echo(f"错误：{error}", err=True)
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 0
    except click.UsageError as error:
        click.echo(f"错误：{_usage_message(error)}", err=True)
        return 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("已中止。", err=True)
        return 130
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    except OSError as error:
        if not isinstance(error, PermissionError) and error.errno not in {errno.ENOSPC, errno.EROFS}:
            return _report_defect(error)
        where = error.filename or "文件"
        fault = Fault(str(where), str(error.strerror), "可以读写的位置", "检查权限和磁盘空间，或换一个文件夹")
        click.echo(f"错误：{UsageError('文件不能读写', [fault])}", err=True)
        return UsageError.exit_code
    except Exception as error:  # noqa: BLE001 — the last line of defence: shown by number, kept in full
        return _report_defect(error)


def _details(error: BaseException) -> str:
    """Return a traceback whose messages hold no word that could be a name and no number of a person.

    A message may repeat whatever the program was working on; the places and the lines of code are its own.
    """
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    before = "" if cause is None else f"{_details(cause)}\n"
    told = _TELLING.sub("…", str(error))
    return f"{before}{''.join(traceback.format_tb(error.__traceback__))}{type(error).__name__}: {told}\n"


def _report_defect(error: BaseException) -> int:
    """Keep the details of a defect in a file and tell its number."""
    details = _details(error)
    if os.environ.get("HUANJIE_DEBUG"):
        click.echo(details, err=True)
    number = hashlib.sha256(details.encode()).hexdigest()[:8]
    path = Path(tempfile.gettempdir()) / f"huanjie-error-{number}.log"
    path.write_text(details, encoding="utf-8")
    click.echo(f"错误：程序内部错误，编号 {number}；处理办法：把 {path} 发给维护人员。", err=True)
    return 70


if __name__ == "__main__":
    raise SystemExit(main())
