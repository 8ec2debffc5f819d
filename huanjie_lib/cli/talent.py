"""Commands of the reserve: ``match``, ``roster`` and ``register``."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click

from huanjie_lib.cli.options import AS_OF, DATA, FILE, FOLDER, KEY, PACK, REGION, ROLES, STORES, Date
from huanjie_lib.cli.telling import Progress, tell_dates, tell_faults
from huanjie_lib.cli.who import keys_of, noting, stamp_of
from huanjie_lib.errors import Fault, UsageError
from huanjie_lib.vocabulary import ADVICE, Role

__all__ = ["match", "register", "roster"]


@click.command(help="匹配人才与岗位：审核条件、人才画像、岗位名单、全市统筹、班子结构和公平检验。")
@DATA
@AS_OF
@click.option("--out", type=FOLDER, required=True, help="写入匹配结果的文件夹，只供组织部门使用。")
@click.option(
    "--run",
    "run_folder",
    type=FOLDER,
    default=None,
    help="同一日期的评估文件夹；给出后岗位更看重本单位薄弱的方面。",
)
@KEY
@PACK
@REGION
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
    tell_dates(parameters, as_of)
    progress = Progress()
    done = workbench.match(
        data,
        out,
        as_of=as_of,
        parameters=parameters,
        risk_run=run_folder,
        keys=keys_of(key),
        progress=progress,
    )
    progress.close()
    tell_faults(done.manifest["intake"]["errors"], out / "intake")
    posts = done.table("posts")
    short = int((posts["lacking"] > 0).sum())
    click.echo(
        f"截至 {as_of}：{len(done.table('people'))} 名后备人才，{len(posts)} 个岗位，"
        f"其中 {short} 个岗位缺人选；结果在 {out}。{ADVICE}"
    )


@click.command(help="写出建议名册（XLSX）：各岗位人选、缺人岗位、班子结构、核实任务、培养建议和公平凭证。")
@click.option("--talent", type=FOLDER, required=True, help="huanjie match 写出的人才文件夹。")
@click.option("--out", type=FOLDER, required=True, help="写入文件的文件夹。")
@click.option(
    "--key",
    type=FILE,
    default=None,
    help="密钥文件，用来显示掩码后的姓名；不填则只有代号末几位。",
)
@click.option(
    "--role",
    type=click.Choice(ROLES),
    default=Role.TALENT.value,
    show_default=True,
    help="名册给谁：只给 talent 和 city，其他角色不能查看人员。",
)
@click.option("--office", default="", help="导出人的单位。")
@click.option("--account", default=None, help="导出人的账号，印在每一页上；不填用本机的登录名。")
@click.option("--store", default=None, help=f"案件台账：{STORES}；必填：已有的决定从中读取，导出记入其中。")
def roster(
    talent: Path, out: Path, key: Path | None, role: str, office: str, account: str | None, store: str | None
) -> None:
    """Write whom a talent run proposes for each post, and what was decided so far."""
    from huanjie_lib.exports.roster import write_roster
    from huanjie_lib.store.ledger import open_ledger
    from huanjie_lib.store.talent_folder import read_talent

    if store is None:
        allowed = "案件台账：名册逐人列出，写出前先记入其中的查阅日志"
        raise UsageError("没有写出建议名册", [Fault("--store", "没有给出", allowed, "补充 --store")])
    run, keys = read_talent(talent), keys_of(key)
    with open_ledger(store, read_only=True) as ledger:
        decisions = ledger.decisions()
    stamp = stamp_of(account, office, role, "人才工作")
    path = write_roster(
        run,
        out,
        role=stamp.role,
        keys=keys,
        decisions=decisions,
        stamp=stamp,
        noted=noting(store, stamp, "talent"),
    )
    click.echo(f"建议名册已写入 {path}。{ADVICE}")


@click.group(help="人才库：新建密钥、更换密钥、写出空白登记表。")
def register() -> None:
    """Make what the register of the reserve needs."""


@register.command(
    "keys", help="为组织部门新建密钥文件；人员代号和封存的姓名都由它而来，请离线备份，丢失后无法恢复。"
)
@click.option("--out", type=FILE, required=True, help="写入密钥的新文件。")
def register_keys(out: Path) -> None:
    """Draw new keys; a file that is there is never overwritten."""
    from huanjie_lib.access.keys import KeyRing

    keys = KeyRing.create(out)
    click.echo(f"密钥已写入 {out}，只有本人可读，编号 {keys.fingerprint}；请离线备份并限制知悉范围")


@register.command(
    "rotate",
    help="更换密钥：另写一个数据文件夹，人员代号和封存的姓名全部改用新密钥，逐表核对；原数据和旧密钥不动。",
)
@click.option("--data", type=FOLDER, required=True, help="现用的数据文件夹。")
@click.option("--key", type=FILE, required=True, help="现用的密钥文件。")
@click.option("--new-key", type=FILE, required=True, help="写入新密钥的新文件。")
@click.option("--out", type=FOLDER, required=True, help="写入新数据的新文件夹。")
@PACK
@REGION
def register_rotate(data: Path, key: Path, new_key: Path, out: Path, pack: Path | None, region: str) -> None:
    """Draw new keys and write the data folder anew under them."""
    from huanjie_lib.parameters import load_parameters
    from huanjie_lib.workbench import rotate_keys

    progress = Progress()
    parameters = load_parameters(pack, region=region)
    done = rotate_keys(data, out, key=key, new_key=new_key, parameters=parameters, progress=progress)
    progress.close()
    click.echo(f"{done.summary()}。新数据在 {out}，新密钥在 {new_key}，请离线备份")
    click.echo("接着用新数据和新密钥重新运行 huanjie match；旧密钥封存到旧数据和旧备份销毁为止")


@register.command("template", help="写出空白的人才登记表（XLSX），供镇街填报。")
@click.option("--as-of", type=Date(), required=True, help="表上的截至日期，如 2026-10-31。")
@click.option("--out", type=FILE, required=True, help="写入的文件。")
def register_template(as_of: dt.date, out: Path) -> None:
    """Write the empty register form."""
    from huanjie_lib.exports.register_template import write_register_template

    write_register_template(out, as_of=as_of)
    click.echo(f"空白登记表已写入 {out}")
