"""The door from a talent page: ``/talent/decide``, ``/talent/name`` and ``/talent/file``, and its log.

What a page says of itself is not believed: whether a decision departs from the advice is told by the server,
which looks into the lists of the talent run that it was started with. The server alone holds the key. What
somebody is about to see of people stands in the access log before it is answered: each opening of the page,
each name, each file. Where the log cannot be written, nothing is shown.
"""

from __future__ import annotations

import datetime as dt
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final

import pandas as pd
from tornado.web import HTTPError, RequestHandler, authenticated

from huanjie_lib.access.hiding import without_names
from huanjie_lib.access.keys import KeyRing
from huanjie_lib.access.masking import Logged, masked_names, opened_names, unmask
from huanjie_lib.access.roles import require
from huanjie_lib.casework.events import Actor
from huanjie_lib.errors import Fault, TransitionError
from huanjie_lib.screens.casework_door import HandingDoor, members, note, tell
from huanjie_lib.screens.gate import viewer_of
from huanjie_lib.screens.talent_names import FILES, XLSX
from huanjie_lib.screens.writer_link import WriterLink
from huanjie_lib.store.access_log import AccessEntry
from huanjie_lib.store.decisions import Decision, check_held, named_in, renewed
from huanjie_lib.store.ledger import open_ledger
from huanjie_lib.store.manifest import MANIFEST, file_digest
from huanjie_lib.store.talent_folder import TalentRun, read_talent
from huanjie_lib.views.stamp import Stamp
from huanjie_lib.views.talent import verdicts
from huanjie_lib.vocabulary import AccessAction, DecisionChoice, GateStatus

__all__ = ["Subject", "door_handlers", "judged", "logged_page"]

PURPOSE: Final = "人才工作"
_REMEDY: Final = "刷新页面后重试"
_BEIJING: Final = dt.timezone(dt.timedelta(hours=8))


@dataclass(frozen=True)
class Subject:
    """Whom the page is about, and the key that the server alone holds.

    Parameters
    ----------
    run
        The talent run.
    digest
        SHA-256 of its manifest.
    keys
        Keys of its sealed names; ``None`` where nobody may be named.
    """

    run: TalentRun
    digest: str
    keys: KeyRing | None

    @classmethod
    def read(cls, talent: Path, key: Path | None) -> Subject:
        """Open a talent folder and its key file."""
        digest = file_digest(talent / MANIFEST)
        return cls(read_talent(talent), digest, None if key is None else KeyRing.read(key))

    @cached_property
    def identities(self) -> pd.DataFrame:
        """The sealed names and numbers."""
        return self.run.identities()

    def current(self, decisions: pd.DataFrame) -> pd.DataFrame:
        """Return decisions under the pseudonyms that people have now; as they are where there is no key."""
        if self.keys is None:
            return decisions
        known = set(self.identities["person_ref"])
        return renewed(decisions, self.keys.recognised(named_in(decisions), known))


def door_handlers(
    link: WriterLink, talent: Path, key: Path | None = None
) -> list[tuple[str, type[RequestHandler], dict[str, Any]]]:
    """Return the addresses of the door, each with its handler and what that needs.

    Parameters
    ----------
    link
        The line to the writer.
    talent
        Folder of the talent run whose proposals are decided on.
    key
        Key file of its sealed names; without it nobody is named.
    """
    options = {"link": link, "subject": Subject.read(talent, key)}
    return [
        (r"/talent/decide", DecideDoor, options),
        (r"/talent/name", NameDoor, options),
        (r"/talent/file", SavedDoor, options),
    ]


def logged_page(page: type[RequestHandler], link: WriterLink, talent: Path) -> type[RequestHandler]:
    """Return the page of the screen, which is drawn only once its opening stands in the access log."""
    digest = file_digest(talent / MANIFEST)

    class LoggedPage(page):  # type: ignore[misc, valid-type]
        """The page, after its entry."""

        @authenticated
        async def get(self, *arguments: str) -> None:
            """Record that the page is opened, then draw it."""
            entry = AccessEntry(
                entry_id=secrets.token_hex(16),
                action=AccessAction.OPEN,
                purpose="talent",
                subject="人才匹配",
                digest=digest,
            )
            actor = viewer_of(self).actor or link.actor
            assert actor is not None
            answer = await note(link, entry, actor)
            if answer.status != 200:
                raise HTTPError(503, answer.body["title"])
            await super().get(*arguments)

    return LoggedPage


def judged(body: bytes, run: TalentRun, digest: str) -> Decision:
    """Return the decision of a page, with what the server knows of it: whether it departs from the advice.

    Raises
    ------
    TransitionError
        If it is no decision, is about another run, names a post or a person that the run does not know, or
        chooses somebody whom a rule refuses for the post.
    """
    try:
        told = json.loads(body)
    except ValueError as error:
        raise TransitionError("决定不能识别", [Fault("请求", "不是 JSON", "JSON 对象", _REMEDY)]) from error
    if not isinstance(told, dict) or "departs" in told:
        raise TransitionError("决定不能识别", [Fault("请求", "内容不对", "界面填写的内容", _REMEDY)])
    decision = Decision.from_json(json.dumps({**told, "departs": True}))
    where = {"unit_code": decision.unit_code, "post": decision.post.value}
    faults = []
    if decision.talent_run != digest:
        faults.append(Fault("匹配结果", "另一次匹配的结果", "本界面的匹配结果", _REMEDY))
    if run.table("posts", **where).empty:
        faults.append(Fault("岗位", "匹配结果中没有", "匹配结果中的岗位", _REMEDY))
    for ref, name in ((decision.person_ref, "建议人选"), (decision.instead_ref, "改选人员")):
        if ref and run.table("people", person_ref=ref).empty:
            faults.append(Fault(name, "人才库中没有", "人才库中的人员", _REMEDY))
    if decision.taken and not faults:
        verdict = next(
            v for v in verdicts(run, decision.taken, decision.unit_code) if v.post is decision.post
        )
        if verdict.status is GateStatus.FAIL:
            why = "；".join(rule["reason"] for rule in verdict.rules) or "资格不通过"
            remedy = "资格条件不能由决定放宽；审核意见有误的，由出具单位更正后重新匹配"
            faults.append(Fault("资格", why, "资格没有不通过的人员", remedy))
    if faults:
        raise TransitionError("决定没有登记", faults)
    advised = any(
        not run.table(name, **where, person_ref=decision.person_ref).empty for name in ("shortlists", "lists")
    )
    departs = decision.choice is not DecisionChoice.ACCEPT or not advised
    return decision.model_copy(update={"departs": departs})


def asked_name(body: bytes, subject: Subject, actor: Actor) -> AccessEntry:
    """Return the entry of the access log for a name that a page asks for.

    The reason is kept without any name of the run: the log holds none.

    Raises
    ------
    TransitionError
        If the request is none, nobody can be named here, or the person is not for this account.
    """
    entry_id, person_ref, reason = members(body, "entry_id", "person_ref", "reason")
    title = "没有查看原文"
    if subject.keys is None:
        fault = Fault("姓名", "启动服务时没有给出密钥", "有密钥的服务", "请管理员用 --key 重新启动")
        raise TransitionError(title, [fault])
    seen = subject.run.concerns(person_ref, actor.covers)
    if not seen or person_ref not in set(subject.identities["person_ref"]):
        raise TransitionError(title, [Fault("人员", "没有姓名，或不归本账号管辖", "名册中的人员", _REMEDY)])
    told = {
        "entry_id": entry_id,
        "action": AccessAction.UNMASK.value,
        "purpose": "identity",
        "subject": person_ref,
        "detail": "姓名",
        "digest": subject.digest,
        "reason": without_names(reason.strip(), opened_names(subject.identities, subject.keys)),
    }
    return AccessEntry.from_json(json.dumps(told))


def made_file(what: str, subject: Subject, actor: Actor, decisions: Callable[[], pd.DataFrame]) -> bytes:
    """Return a file that a page asks for: what the account may see, under masked names.

    Raises
    ------
    TransitionError
        If there is no such file, or it is about more than the account's area.
    UsageError
        If the role may not see single people.
    """
    require(actor.role, "talent/people", "talent")
    stamp = Stamp(actor.account, actor.office, actor.role, PURPOSE, dt.datetime.now(_BEIJING).date())
    called = None
    if subject.keys is not None:
        called = partial(_masked, subject, subject.keys, actor)
    if what == "plan":
        from huanjie_lib.exports.talent_plan import plan_workbook  # wanted now and then

        named = called or (lambda refs: {ref: ref for ref in refs})
        return plan_workbook(subject.run, named, covers=actor.covers, stamp=stamp)
    if what != "roster":
        raise TransitionError("没有导出", [Fault("文件", "没有这种文件", "、".join(FILES.values()), _REMEDY)])
    if actor.scope:
        fault = Fault("管辖范围", "只管部分地区", "管全市的账号", "由管全市的账号导出")
        raise TransitionError("没有导出建议名册", [fault])
    from huanjie_lib.exports.roster import roster_workbook

    made = subject.current(decisions())
    return roster_workbook(subject.run, role=actor.role, called=called, decisions=made, stamp=stamp)


def _masked(subject: Subject, keys: KeyRing, actor: Actor, refs: Any) -> dict[str, str]:
    wanted = list(refs)
    shown = masked_names(subject.identities, keys, role=actor.role, wanted=wanted)
    return {str(ref): name for ref, name in shown.items()}


class TalentDoor(HandingDoor):
    """What the addresses of the door share."""

    def initialize(self, link: WriterLink, subject: Subject) -> None:  # type: ignore[override]
        """Take the line to the writer and whom the page is about."""
        super().initialize(link)
        self.subject = subject

    def decisions(self) -> pd.DataFrame:
        """Return all decisions in the ledger."""
        address = self.link.place.reader
        with open_ledger(address if "://" in address else Path(address), read_only=True) as ledger:
            return ledger.decisions()


class DecideDoor(TalentDoor):
    """``POST /talent/decide``."""

    @authenticated
    async def post(self) -> None:
        """Record a decision and answer as the writer does."""
        decision = await self.asked(self._judged)
        self.answer(await tell(self.link, "/decide", "decide", decision.model_dump_json(), self.actor))

    def _judged(self, body: bytes) -> Decision:
        """Return the decision; the writer, without a key, knows nobody again under an earlier pseudonym."""
        decision = judged(body, self.subject.run, self.subject.digest)
        if decision.taken and self.subject.keys is not None:
            check_held(decision, self.subject.current(self.decisions()))
        return decision


class NameDoor(TalentDoor):
    """``POST /talent/name``: the name of one person, to the one who asks, once the log has it."""

    @authenticated
    async def post(self) -> None:
        """Record who asks for whose name and why, then answer with the name."""
        entry = await self.asked(asked_name, self.subject, self.actor)
        answer = await note(self.link, entry, self.actor)
        if answer.status != 200:
            self.answer(answer)
            return
        row = answer.body["entry"]
        self.finish({"ok": True, "name": await self.asked(self._name, entry.subject, row)})

    def _name(self, _: bytes, person_ref: str, row: dict[str, Any]) -> str:
        assert self.subject.keys is not None
        logged = Logged(person_ref, row["number"], row["hash"])
        return unmask(self.subject.identities, self.subject.keys, logged).name


class SavedDoor(TalentDoor):
    """``POST /talent/file``: a file, once the log has its digest."""

    @authenticated
    async def post(self) -> None:
        """Make a file, record it, and hand it out."""
        what, entry_id, content = await self.asked(self._make)
        name = f"{FILES[what]}_{self.subject.run.as_of.isoformat()}.xlsx"
        await self.hand_out(name, content, XLSX, purpose="talent", entry_id=entry_id)

    def _make(self, body: bytes) -> tuple[str, str, bytes]:
        what, entry_id = members(body, "what", "entry_id")
        return what, entry_id, made_file(what, self.subject, self.actor, self.decisions)
