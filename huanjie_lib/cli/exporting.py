"""Commands that hand files out: ``export`` and ``ledgers``."""

from __future__ import annotations

import datetime as dt
import os
from contextlib import ExitStack
from pathlib import Path

import click

from huanjie_lib.cli.options import FOLDER, RUN, STORES, Date, handing_out
from huanjie_lib.cli.telling import Progress
from huanjie_lib.cli.who import noting, stamp_of
from huanjie_lib.errors import Fault, UsageError
from huanjie_lib.vocabulary import Role

__all__ = ["export", "ledgers"]

_EXPORTED = "导出记入其中的查阅日志"
_PROCESSES = 2
"""Processes that make the files of a pack side by side."""


@click.command(
    help="写出会议材料：汇报（DOCX、PDF）、幻灯片（PPTX）、离线网页（HTML）、工作清单和台账（XLSX）、"
    "A3 地图（PDF、SVG）；每一页印有导出人和日期。--township 只写一个镇街，--unit 只写一村一策。"
)
@click.option(
    "--run",
    "run_folder",
    type=FOLDER,
    required=True,
    help="huanjie run 写出的文件夹，或放着多次评估的文件夹（用 --as-of 选定）。",
)
@click.option("--as-of", type=Date(), default=None, help="评估的截至日期，如 2026-10-31。")
@click.option("--out", type=FOLDER, required=True, help="写入文件的文件夹。")
@click.option("--store", default=None, help=f"案件台账：{STORES}；不填则没有案件；{_EXPORTED}。")
@click.option("--last", type=FOLDER, default=None, help="上次会议所用的评估文件夹；不填与上期相比。")
@click.option("--backtest", "tested", type=FOLDER, default=None, help="huanjie backtest 写出的文件夹。")
@click.option("--township", default="", help="只写一个镇街：区划代码的前 9 位；没有 HTML。")
@click.option("--unit", "units", multiple=True, help="只写这些村（社区）的一村一策：12 位代码，可重复。")
@click.option("--plans", is_flag=True, help="连同每个红色村（社区）的一村一策。")
@handing_out
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
    import json

    from huanjie_lib.access.roles import may_read
    from huanjie_lib.casework.events import Actor
    from huanjie_lib.exports.casework import casework_seen, export_plans
    from huanjie_lib.exports.meeting import export_meeting
    from huanjie_lib.store.ledger import open_ledger
    from huanjie_lib.store.run_folder import read_ledgers, read_run, run_of_date
    from huanjie_lib.store.snapshot import seen_by, snapshot_role
    from huanjie_lib.views.meeting import Backtest, meeting_of

    stamp, progress = stamp_of(account, office, role, "换届工作会议"), Progress()
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
        noted = noting(store, stamp, "casework")
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
            noted=noting(store, stamp, "risk"),
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


@click.command(help="写出台账工作簿和一村一策；有 --store 时连同案件。")
@RUN
@click.option("--out", type=FOLDER, required=True, help="写入文件的文件夹。")
@click.option("--store", default=None, help=f"案件台账：{STORES}；不填则没有案件；{_EXPORTED}。")
@click.option(
    "--restricted",
    is_flag=True,
    help="连同限定范围的内容：审计对象、谈话、离任安置和异常线索案件；须同时给出 --store。",
)
@click.option("--plans/--no-plans", default=True, show_default=True, help="是否写出红色村的一村一策。")
@click.option("--sheet", "sheets", multiple=True, help="要张贴审计明白账的村（社区）代码，可重复。")
@click.option("--scope", multiple=True, help="只写这些区划代码前几位的村（社区），可重复；不填为全部。")
@handing_out
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
    stamp = stamp_of(account, office, role, "整改督办")
    run, frames = read_run(run_folder), read_ledgers(run_folder, restricted=restricted)
    progress = Progress()
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
            noted=noting(store, stamp, "casework"),
            progress=progress,
        )
    progress.close()
    click.echo(f"已写出 {len(paths)} 个文件到 {out}，其中台账：{paths[0].name}")
