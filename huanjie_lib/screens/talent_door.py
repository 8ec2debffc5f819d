"""The door from a talent page to the writer: ``/talent/decide``.

What a page says of itself is not believed: whether a decision departs from the advice is told by the server,
which looks into the lists of the talent run that it was started with.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

from tornado.web import RequestHandler, authenticated

from huanjie_lib.errors import Fault, TransitionError
from huanjie_lib.screens.casework_door import Door
from huanjie_lib.screens.writer_link import WriterLink
from huanjie_lib.store.decisions import Decision
from huanjie_lib.store.talent_folder import TalentRun, read_talent
from huanjie_lib.store.writer import MOST_ACTION_BYTES, check_length, too_big
from huanjie_lib.vocabulary import DecisionChoice

__all__ = ["door_handlers", "judged"]

_REMEDY: Final = "刷新页面后重试"


def door_handlers(link: WriterLink, talent: Path) -> list[tuple[str, type[RequestHandler], dict[str, Any]]]:
    """Return the address of the door with its handler and what that needs.

    Parameters
    ----------
    link
        The line to the writer.
    talent
        Folder of the talent run whose proposals are decided on.
    """
    run = read_talent(talent)
    digest = hashlib.sha256((talent / "manifest.json").read_bytes()).hexdigest()
    return [(r"/talent/decide", DecideDoor, {"link": link, "run": run, "digest": digest})]


def judged(body: bytes, run: TalentRun, digest: str) -> Decision:
    """Return the decision of a page, with what the server knows of it: whether it departs from the advice.

    Raises
    ------
    TransitionError
        If it is no decision, is about another run, or names a post or a person that the run does not know.
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
    if faults:
        raise TransitionError("决定没有登记", faults)
    advised = any(
        not run.table(name, **where, person_ref=decision.person_ref).empty for name in ("shortlists", "lists")
    )
    departs = decision.choice is not DecisionChoice.ACCEPT or not advised
    return decision.model_copy(update={"departs": departs})


class DecideDoor(Door):
    """``POST /talent/decide``."""

    def initialize(self, link: WriterLink, run: TalentRun, digest: str) -> None:  # type: ignore[override]
        """Take the line to the writer and the run."""
        super().initialize(link)
        self.run, self.digest = run, digest

    async def prepare(self) -> None:  # type: ignore[override]
        """Refuse what is too long to be a decision."""
        await super().prepare()
        if not self._finished:
            check_length(self.request.headers.get("Content-Length"), MOST_ACTION_BYTES)

    @authenticated
    async def post(self) -> None:
        """Answer as the writer does."""
        body = self.request.body
        if len(body) > MOST_ACTION_BYTES:
            raise too_big(MOST_ACTION_BYTES)
        loop = asyncio.get_running_loop()
        decision = await loop.run_in_executor(None, judged, body, self.run, self.digest)
        text = decision.model_dump_json().encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(text))}
        answer = await self.link.ask("POST", "/decide", "decide", headers=headers, body=_once(text))
        self.set_status(answer.status)
        self.finish(answer.body)


async def _once(text: bytes) -> AsyncIterator[bytes]:
    yield text
