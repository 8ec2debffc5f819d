"""Commands ``access log`` and ``show``: who has seen what, and one name for a reason."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click

from huanjie_lib.cli.options import FILE, FOLDER, STORE, Date, acting
from huanjie_lib.cli.who import actor_of, unmasked
from huanjie_lib.vocabulary import AccessAction, Role

__all__ = ["access"]


@click.group(help="查阅日志：谁在什么时候因为什么看过、导出或删除过个人信息。")
def access() -> None:
    """Show names for a reason, and who has seen what."""


@access.command("log", help="列出查阅日志；日志不含姓名和号码。")
@STORE
@click.option("--since", type=Date(), default=None, help="从哪一天起，如 2026-11-01；不填为全部。")
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
@click.option("--data", type=FOLDER, required=True, help="有 tables/identities.parquet 的数据文件夹。")
@click.option("--key", type=FILE, required=True, help="组织部门的密钥文件。")
@STORE
@acting
def access_show(
    person: str, reason: str, data: Path, key: Path, store: str, account: str, office: str, role: str
) -> None:
    """Show one name, after the log has it."""
    from huanjie_lib.store.ledger import open_ledger

    with open_ledger(store) as ledger:
        seen = unmasked(ledger, data, key, person, actor_of(account, office, role), reason, "姓名")
    click.echo(f"{person}：{seen.name}（已记入查阅日志第 {seen.logged.number} 条）")
