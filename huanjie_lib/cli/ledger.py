"""Commands of the ledger of cases: ``publish``, ``backup``, ``restore`` and ``store``."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click

from huanjie_lib import __version__
from huanjie_lib.cli.options import EVIDENCE, FILE, FOLDER, RUN, STORE, STORES

__all__ = ["backup", "publish", "restore", "store"]


@click.command(help="发布一次评估：记入案件台账，按预警立案或重新打开案件；同一次评估重复发布不会重复立案。")
@RUN
@STORE
@click.option("--account", required=True, help="发布人的账号。")
@EVIDENCE
def publish(run_folder: Path, store: str, account: str, evidence: Path | None) -> None:
    """Record a run in the ledger and open the cases that its alerts call for."""
    from huanjie_lib.workbench import publish_run

    click.echo(publish_run(run_folder, store, account=account, evidence=evidence).summary())


@click.command(
    help="备份案件台账：一个时刻的数据库、佐证材料和每日链头写成一个文件，并核对；备份时可以照常登记。不含密钥。"
)
@STORE
@click.option("--out", type=FILE, required=True, help="写入备份的新文件，如 台账-2026-11-30.zip。")
@EVIDENCE
def backup(store: str, out: Path, evidence: Path | None) -> None:
    """Back up a ledger while others may write to it."""
    from huanjie_lib.store.backup import write_backup

    made = write_backup(store, out, evidence=evidence, code_version=__version__)
    click.echo(f"备份已写出并核对：{made}")


@click.command(help="从备份恢复案件台账到新的位置；先核对全部内容，不覆盖任何已有内容。")
@click.option("--from", "file", type=FILE, required=True, help="huanjie backup 写出的文件。")
@click.option("--store", required=True, help="新的台账：还不存在的文件夹，或空的 PostgreSQL 数据库的地址。")
@click.option("--evidence", type=FOLDER, default=None, help="恢复到 PostgreSQL 时，存放佐证材料的新文件夹。")
@click.option(
    "--head", type=FILE, default=None, help="存在别处的链头文件；核对备份没有缺失，也没有被整个换掉。"
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


@click.group(help="案件台账：新建、升级、复制到别处、另存链头。")
def store() -> None:
    """Make, upgrade and guard the ledger."""


@store.command("init", help="新建案件台账。")
@STORE
def store_init(store: str) -> None:
    """Make an empty ledger; one that is there is left as it is."""
    from huanjie_lib.store.ledger import open_ledger

    with open_ledger(store, create=True) as ledger:
        click.echo(f"台账已建好：{ledger.where}，{ledger.head().sequence} 个事件")


@store.command("upgrade", help="把旧版程序的案件台账升级到当前版本；升级前写出备份，不能降级。")
@STORE
@click.option(
    "--backup", "backup_file", type=FILE, default=None, help="升级前写出备份的新文件；须升级时必填。"
)
@EVIDENCE
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
@click.option("--from", "source", required=True, help=f"原台账：{STORES}。")
@click.option("--to", "target", required=True, help=f"新台账，须为空：{STORES}。")
@EVIDENCE
def store_copy(source: str, target: str, evidence: Path | None) -> None:
    """Copy a ledger into an empty place, all chains as they stand."""
    from huanjie_lib.store.copying import copy_ledger

    head = copy_ledger(source, target, evidence=evidence)
    click.echo(
        f"已复制并逐行核对：{head.sequence} 个事件、{head.runs} 次发布、{head.decisions} 项决定，"
        f"链头 {head.hash}；佐证材料仍在原处。今后只用新台账，原台账改名留存"
    )


@store.command("head", help="另存链头，供以后核对台账没有被截断；请存到另一台机器或交他人保管。")
@STORE
@click.option("--out", type=FOLDER, required=True, help="存放链头的文件夹。")
def store_head(store: str, out: Path) -> None:
    """Keep the end of the ledger elsewhere."""
    from huanjie_lib.workbench import export_head

    path = export_head(store, out, day=dt.date.today())
    click.echo(f"链头已写入 {path}；以后用 huanjie check --ledger {store} --head {path} 核对")
