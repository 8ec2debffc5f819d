"""Commands ``request``: what people ask of the data held on them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from huanjie_lib.cli.options import DATA, FILE, FOLDER, PACK, STORE, Date, acting
from huanjie_lib.cli.who import BEIJING, actor_of, keys_of, unmasked
from huanjie_lib.errors import Fault, UsageError
from huanjie_lib.outputs import require_new_files
from huanjie_lib.vocabulary import AccessAction, RequestKind, RequestResult, RequestStep, date_text

if TYPE_CHECKING:
    from huanjie_lib.store.requests import RequestEvent

__all__ = ["request"]


@click.group(help="个人申请：查阅复制、更正、删除本人信息，登记收到和答复。")
def request() -> None:
    """Record what people ask of the data held on them."""


@request.command("person", help="由身份证号找到人员代号：号码在提示后输入，不显示、不保存。")
@click.option("--key", type=FILE, required=True, help="组织部门的密钥文件。")
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
@click.option("--data", type=FOLDER, multiple=True, help="数据文件夹，可重复。")
@click.option("--run", "runs", type=FOLDER, multiple=True, help="评估文件夹，可重复。")
@click.option("--talent", "talents", type=FOLDER, multiple=True, help="人才文件夹，可重复。")
@click.option("--folder", "folders", type=FOLDER, multiple=True, help="其他文件夹，如导出的文件，可重复。")
@click.option("--backup", "backups", type=FILE, multiple=True, help="台账的备份，可重复。")
@click.option("--key", type=FILE, default=None, help="密钥文件；给出后台账中更换密钥以前的代号也能认出。")
@STORE
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

    keys = keys_of(key)
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
@click.option("--on", "received", type=Date(), default=None, help="收到的日期；不填为今天。")
@click.option("--request", "request_id", default=None, help="申请编号；不填由程序编号。")
@STORE
@acting
@PACK
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
    day = received or dt.datetime.now(BEIJING).date()
    due = workdays.add(day, load_privacy(pack).request_workdays)
    name = request_id or f"SQ{day:%Y%m%d}-{uuid.uuid4().hex[:6]}"
    told = {"event_id": f"{name}-open", "request_id": name, "step": RequestStep.RECEIVE, "kind": kind}
    event = _request_event({**told, "person_ref": person, "happened_on": day, "due_on": due.date})
    with open_ledger(store) as ledger:
        ledger.request(event, actor_of(account, office, role))
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
@click.option("--on", "answered", type=Date(), default=None, help="答复的日期；不填为今天。")
@STORE
@acting
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

    day = answered or dt.datetime.now(BEIJING).date()
    with open_ledger(store) as ledger:
        known = ledger.requests().set_index("request_id")
        if request_id not in known.index:
            fault = Fault("--request", request_id, "已登记的申请编号", "用 huanjie request list 查看")
            raise UsageError("没有这件申请", [fault])
        before = {name: str(known.loc[request_id, name]) for name in ("kind", "person_ref", "due_on")}
        told = {"event_id": f"{request_id}-answer", "request_id": request_id, "step": RequestStep.ANSWER}
        event = _request_event({**told, **before, "happened_on": day, "result": result, "reason": reason})
        ledger.request(event, actor_of(account, office, role))
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
@STORE
@click.option("--as-of", type=Date(), default=None, help="截至日期；不填为今天。")
def request_list(store: str, as_of: dt.date | None) -> None:
    """List requests; what is overdue is an error."""
    from huanjie_lib.store.ledger import open_ledger

    day = (as_of or dt.datetime.now(BEIJING).date()).isoformat()
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
@DATA
@click.option("--talent", type=FOLDER, default=None, help="人才文件夹；给出后连同计算的结果。")
@click.option("--key", type=FILE, default=None, help="密钥文件；给出后写明姓名和身份证号。")
@click.option("--out", type=FILE, required=True, help="写入的新文件，如 个人信息副本.xlsx。")
@STORE
@acting
@PACK
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
    import hashlib
    import json
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

    require_new_files([out], refused="没有写出副本")
    actor, day = actor_of(account, office, role), dt.datetime.now(BEIJING).date()
    require(actor.role, "talent/people", "talent")
    stamp = Stamp(account, office, actor.role, "答复个人申请", day, "个人信息，交本人")
    with open_ledger(store) as ledger:
        named = None
        if key is not None:
            named = unmasked(ledger, data, key, person, actor, reason, "姓名、身份证号")
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
