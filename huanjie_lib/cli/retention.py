"""Command ``retention``: what has been kept long enough, and a data folder without it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import click

from huanjie_lib.cli.options import AS_OF, DATA, FILE, FOLDER, PACK, STORES
from huanjie_lib.cli.who import actor_of, keys_of
from huanjie_lib.errors import Fault, UsageError
from huanjie_lib.vocabulary import Role, date_text

if TYPE_CHECKING:
    import pandas as pd

    from huanjie_lib.access.keys import KeyRing
    from huanjie_lib.parameters import ParameterSet
    from huanjie_lib.store.retention import Filed

__all__ = ["retention"]


@click.command(
    help="列出保存到期的个人信息；加 --apply 写出去掉它们的新数据文件夹，逐人记入查阅日志，不动原文件夹。"
)
@DATA
@AS_OF
@click.option("--talent", "talents", type=FOLDER, multiple=True, help="一并检查的人才文件夹，可重复。")
@click.option("--person", default=None, help="只处理这个代号的人：本人申请删除，不看期限。")
@click.option("--apply", "applied", is_flag=True, help="写出新的数据文件夹；须给出下面各项。")
@click.option("--out", type=FOLDER, default=None, help="新的数据文件夹。")
@click.option("--store", default=None, help=f"案件台账：{STORES}；删除记入其中的查阅日志。")
@click.option("--account", default="", help="操作的账号。")
@click.option("--office", default="", help="账号所属的单位。")
@click.option(
    "--role",
    type=click.Choice([Role.TALENT.value, Role.CITY.value]),
    default=Role.TALENT.value,
    help="角色。",
)
@click.option("--reason", default="", help="删除的事由，不少于4个字。")
@click.option("--key", type=FILE, default=None, help="密钥文件；给出后也从登记表中删去到期的人员。")
@PACK
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
    returns = _Returns(data, load_parameters(), keys_of(key), whole=applied)
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
        actor = actor_of(account, office, role)
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
    """Reads rows about people that lie in returns, and strikes them out.

    Whoever strikes reads the whole folder, to see that nothing else is lost; to tell what is due, the tables
    about people are enough.
    """

    def __init__(self, data: Path, parameters: ParameterSet, keys: KeyRing | None, *, whole: bool) -> None:
        self._data, self._parameters, self._keys, self._whole = data, parameters, keys, whole
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

        personal = None if self._whole else [name for name, table in TABLES.items() if table.personal]
        intake = read_folder(data, self._parameters, keys=self._keys, only=personal)
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
