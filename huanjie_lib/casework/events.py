r"""Events of cases: what they carry, how they are written as text, and the chain that ties them together.

An :class:`Action` is what an office wants to happen; :class:`Recorded` is the event once it stands in the
ledger. Each event's hash covers its whole content and the hash of the event before::

    body = canonical JSON of {event_id, case_id, version, event, actor, office, role, happened_on,
                              recorded_at, payload}       (payload as its own canonical JSON text)
    hash = sha256(previous_hash + "\n" + body), hex; the first event follows GENESIS

The place in the chain is the event's sequence, so the number itself needs no hashing. Canonical JSON has
sorted keys, no spaces and characters as they are, in UTF-8.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal, Self, TypeAlias

import numpy as np
import pandas as pd

from huanjie_lib.errors import Fault, TransitionError
from huanjie_lib.vocabulary import CaseEvent, CaseKind, Role

__all__ = [
    "EVENT_COLUMNS",
    "GENESIS",
    "Action",
    "Actor",
    "ChainFault",
    "Head",
    "Recorded",
    "canonical",
    "chain_hash",
    "check_chain",
    "check_payload",
    "event_body",
]

GENESIS: Final = "0" * 64
"""Hash before the first event."""

EVENT_COLUMNS: Final = (
    "sequence",
    "event_id",
    "case_id",
    "version",
    "event",
    "actor",
    "office",
    "role",
    "happened_on",
    "recorded_at",
    "payload",
    "previous_hash",
    "hash",
)
"""Columns of a frame of events: the contract ``case_events``, sequence first."""

_BODY: Final = EVENT_COLUMNS[1:11]
_EVENTS: Final = {event.value: event for event in CaseEvent}
_ROLES: Final = {role.value: role for role in Role}
_REF = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: an account, the office it acts for, its role, and the units it may touch.

    Parameters
    ----------
    account, office
        Account and name of the office.
    role
        What the office may do.
    scope
        Beginnings of the unit codes the account may act on; all when empty.
    """

    account: str
    office: str
    role: Role
    scope: tuple[str, ...] = ()

    def covers(self, unit_code: str) -> bool:
        """Tell whether a unit lies in the scope.

        Examples
        --------
        >>> Actor("dongling", "东岭县换届办", Role.COUNTY, ("990101",)).covers("990102001001")
        False
        """
        return not self.scope or unit_code.startswith(self.scope)


@dataclass(frozen=True)
class Action:
    """One event that an office wants to happen.

    Parameters
    ----------
    event_id
        Unique id made by whoever asks; asking again with the same id changes nothing.
    case_id
        Case it happens to.
    event
        What happens.
    actor
        Who acts.
    happened_on
        Date as the actor states it. It orders nothing.
    expected_version
        Version of the case that the actor saw; 0 for a new case.
    payload
        What the event carries; keys by :func:`check_payload`.
    """

    event_id: str
    case_id: str
    event: CaseEvent
    actor: Actor
    happened_on: dt.date
    expected_version: int
    payload: Mapping[str, Any]

    def to_json(self) -> str:
        """Return the action as canonical JSON, actor included.

        Examples
        --------
        >>> action = Action("e1", "C1", CaseEvent.CANCEL, Actor("a", "市换届办", Role.CITY),
        ...                 dt.date(2026, 11, 2), 3, {"note": "误报"})
        >>> Action.from_json(action.to_json()) == action
        True
        """
        actor = {
            "account": self.actor.account,
            "office": self.actor.office,
            "role": self.actor.role.value,
            "scope": list(self.actor.scope),
        }
        return canonical({**self._stated(), "actor": actor})

    def _stated(self) -> dict[str, Any]:
        return {
            "event_id": self.event_id,
            "case_id": self.case_id,
            "event": self.event.value,
            "happened_on": self.happened_on.isoformat(),
            "expected_version": self.expected_version,
            "payload": dict(self.payload),
        }

    @classmethod
    def from_json(cls, text: str | bytes, *, actor: Actor | None = None) -> Self:
        """Read an action; unknown and missing keys are refused.

        Parameters
        ----------
        text
            JSON object as :meth:`to_json` writes it.
        actor
            Who acts, where that is known from elsewhere, such as a signed token; the text must then name
            nobody.

        Raises
        ------
        TransitionError
            With every fault found.

        Examples
        --------
        >>> Action.from_json('{"event_id": "e1"}', actor=Actor("a", "市换届办", Role.CITY))
        Traceback (most recent call last):
            ...
        huanjie_lib.errors.TransitionError: 操作请求不能识别（共 1 处问题）
          1. 操作请求：发现“缺少 case_id、event、expected_version、happened_on、payload”；...
        """
        try:
            told = json.loads(text, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise _unreadable([Fault("操作请求", "不是 JSON", "JSON 对象", "刷新页面后重试")]) from error
        wanted: dict[str, _Check] = {
            "event_id": _ref,
            "case_id": _ref,
            "event": _word(CaseEvent),
            "happened_on": _day,
            "expected_version": _count(0),
            "payload": _object,
        }
        if actor is None:
            wanted["actor"] = _object
        faults = list(_check_object(told, wanted, "操作请求"))
        if actor is None and not faults:
            parts: dict[str, _Check] = {"account": _text, "office": _text, "role": _word(Role)}
            faults += _check_object(told["actor"], {**parts, "scope": _texts}, "操作请求 actor")
        if faults:
            raise _unreadable(faults)
        if actor is None:
            who = told["actor"]
            actor = Actor(who["account"], who["office"], _ROLES[who["role"]], tuple(who["scope"]))
        return cls(
            told["event_id"],
            told["case_id"],
            _EVENTS[told["event"]],
            actor,
            dt.date.fromisoformat(told["happened_on"]),
            told["expected_version"],
            told["payload"],
        )

    def faults(self) -> list[Fault]:
        """Return what is wrong with the action in itself, whatever the case."""
        where = "操作请求"
        own: dict[str, tuple[_Check, Any]] = {
            "event_id": (_ref, self.event_id),
            "case_id": (_ref, self.case_id),
            "account": (_text, self.actor.account),
            "office": (_text, self.actor.office),
        }
        found = [
            Fault(f"{where} {name}", _shown(value), allowed, "刷新页面后重试")
            for name, (check, value) in own.items()
            if (allowed := check(value)) is not None
        ]
        return found + check_payload(self.event, self.payload)


def _unreadable(faults: list[Fault]) -> TransitionError:
    return TransitionError("操作请求不能识别", faults)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


@dataclass(frozen=True)
class Recorded:
    """An event that stands in the ledger.

    Parameters
    ----------
    sequence
        Its place in the ledger, from 1 without gaps.
    version
        Its number within the case, from 1.
    recorded_at
        Writer's clock, UTC, ISO text; it orders nothing.
    previous_hash, hash
        Its links in the chain.
    action
        What was asked for. The scope of the actor is not kept.
    """

    sequence: int
    version: int
    recorded_at: str
    previous_hash: str
    hash: str
    action: Action


_LATER_CHAINS: Final = ("decisions", "access", "requests")
"""Chains that heads of older programs do not know."""


@dataclass(frozen=True)
class Head:
    """The end of the ledger at one moment: kept elsewhere, it shows later that nothing was cut off.

    Parameters
    ----------
    sequence, hash
        Last event; 0 and :data:`GENESIS` when there is none.
    runs, runs_hash
        Number of published runs and the last hash of their chain.
    decisions, decisions_hash
        Number of decisions on advice about people and the last hash of their chain.
    access, access_hash
        Number of entries of the access log and the last hash of their chain.
    requests, requests_hash
        Number of steps of requests that people made and the last hash of their chain.

    Examples
    --------
    >>> head = Head(2, "ab" * 32)
    >>> Head.from_json(head.to_json()) == head
    True
    """

    sequence: int = 0
    hash: str = GENESIS
    runs: int = 0
    runs_hash: str = GENESIS
    decisions: int = 0
    decisions_hash: str = GENESIS
    access: int = 0
    access_hash: str = GENESIS
    requests: int = 0
    requests_hash: str = GENESIS

    def to_json(self) -> str:
        """Return the head as canonical JSON."""
        return canonical(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read a head written by :meth:`to_json`, or before a chain was there; other keys are let be.

        Raises
        ------
        ValueError
            If the text is no head.
        """
        told = json.loads(text)
        wanted: dict[str, _Check] = {
            "sequence": _count(0),
            "hash": _digest,
            "runs": _count(0),
            "runs_hash": _digest,
            **{
                name: _digest if name.endswith("_hash") else _count(0)
                for chain in _LATER_CHAINS
                for name in (chain, f"{chain}_hash")
            },
        }
        for chain in _LATER_CHAINS if isinstance(told, dict) else ():
            if not {chain, f"{chain}_hash"} & told.keys():
                told |= {chain: 0, f"{chain}_hash": GENESIS}
        if not isinstance(told, dict) or any(check(told.get(name)) for name, check in wanted.items()):
            raise ValueError("the text is not the head of a ledger")
        return cls(*(told[name] for name in wanted))


# ---------------------------------------------------------------- text and hash


def canonical(value: Any) -> str:
    """Return JSON with sorted keys, no spaces, characters as they are: one text for equal values.

    Raises
    ------
    ValueError
        If a number is not finite or a text cannot be written as UTF-8.
    TypeError
        If something is no JSON value.

    Examples
    --------
    >>> canonical({"名称": "上云村", "a": [1, None]})
    '{"a":[1,null],"名称":"上云村"}'
    """
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    text.encode()
    return text


def event_body(
    *,
    event_id: str,
    case_id: str,
    version: int,
    event: str,
    actor: str,
    office: str,
    role: str,
    happened_on: str,
    recorded_at: str,
    payload: str,
) -> str:
    """Return the text of an event that its hash covers; ``payload`` is canonical JSON already."""
    return canonical(
        {
            "event_id": event_id,
            "case_id": case_id,
            "version": version,
            "event": event,
            "actor": actor,
            "office": office,
            "role": role,
            "happened_on": happened_on,
            "recorded_at": recorded_at,
            "payload": payload,
        }
    )


def chain_hash(previous_hash: str, body: str) -> str:
    """Return the hash of an event from the hash before it and its own text.

    Examples
    --------
    >>> chain_hash(GENESIS, "{}")[:16]
    '5649d09ed68c1715'
    """
    return hashlib.sha256(f"{previous_hash}\n{body}".encode()).hexdigest()


# ---------------------------------------------------------------- payloads

_Check: TypeAlias = Callable[[Any], str | None]
"""Returns what is allowed, in Chinese, when a value is not; nothing when it is."""


def _matching(pattern: re.Pattern[str], allowed: str) -> _Check:
    return lambda value: None if isinstance(value, str) and pattern.fullmatch(value) else allowed


_ref = _matching(_REF, "1 到 64 个英文字母、数字、连字符或下划线")
_digest = _matching(_DIGEST, "SHA-256 摘要")
_unit_code = _matching(re.compile(r"\d{12}"), "12 位统计用区划代码")
_township_code = _matching(re.compile(r"\d{9}"), "9 位镇街代码")
_media_type = _matching(re.compile(r"[\w.+-]{1,63}/[\w.+-]{1,127}", re.ASCII), "文件类型，如 image/jpeg")


def _free_text(value: Any) -> str | None:
    return None if isinstance(value, str) and not _UNPRINTABLE.search(value) else "文字，不含控制字符"


def _text(value: Any) -> str | None:
    return _free_text(value) or (None if value.strip() else "不能为空的文字")


def _texts(value: Any) -> str | None:
    good = isinstance(value, list) and all(_text(item) is None for item in value)
    return None if good else "文字的列表"


def _flag(value: Any) -> str | None:
    return None if isinstance(value, bool) else "true 或 false"


def _object(value: Any) -> str | None:
    return None if isinstance(value, Mapping) else "JSON 对象"


def _objects(value: Any) -> str | None:
    good = isinstance(value, list | tuple) and all(isinstance(item, Mapping) for item in value)
    return None if good else "JSON 对象的列表"


def _day(value: Any) -> str | None:
    try:
        good = isinstance(value, str) and dt.date.fromisoformat(value).isoformat() == value
    except ValueError:
        good = False
    return None if good else "日期，如 2026-10-31"


def _count(least: int) -> _Check:
    def check(value: Any) -> str | None:
        good = isinstance(value, int) and not isinstance(value, bool) and least <= value < 2**53
        return None if good else f"不小于 {least} 的整数"

    return check


def _word(words: type[CaseEvent] | type[CaseKind] | type[Role]) -> _Check:
    values = set(words.labels())
    return lambda value: (
        None if isinstance(value, str) and value in values else "、".join(words.labels().values())
    )


_NOTE: Mapping[str, _Check] = {"note": _free_text}
_EVIDENCE: Mapping[str, _Check] = {
    "digest": _digest,
    "name": _text,
    "bytes": _count(1),
    "media_type": _media_type,
}
_PAYLOADS: Final[Mapping[CaseEvent, Mapping[str, _Check]]] = MappingProxyType(
    {
        CaseEvent.OPEN: {
            "unit_code": _unit_code,
            "unit_name": _text,
            "township_code": _township_code,
            "township_name": _text,
            "kind": _word(CaseKind),
            "cause": _text,
            "title": _text,
            "reason": _free_text,
            "subject": _free_text,
            "restricted": _flag,
            "run": _free_text,
        },
        CaseEvent.DISPATCH: {"owner": _text, "due_on": _day, "note": _free_text},
        CaseEvent.RECTIFY: {"note": _free_text, "evidence": _objects, "amendments": _objects},
        CaseEvent.SUBMIT: _NOTE,
        CaseEvent.RETURN: _NOTE,
        CaseEvent.CLOSE: _NOTE,
        CaseEvent.REOPEN: {"note": _free_text, "due_on": _day},
        CaseEvent.CANCEL: _NOTE,
    }
)


def check_payload(event: CaseEvent, payload: Any) -> list[Fault]:
    """Return every fault of what an event carries: unknown, missing or unfit values.

    Parameters
    ----------
    event
        Kind of event.
    payload
        ``open``: unit_code, unit_name, township_code, township_name, kind, cause, title, reason, subject,
        restricted, run. ``dispatch``: owner, due_on, note. ``rectify``: note, evidence (a list of digest,
        name, bytes, media_type), amendments. ``reopen``: note, due_on. All others: note. Dates are ISO text.
        Amendments are checked against the contracts by
        :func:`huanjie_lib.casework.amendments.check_amendments`, not here.

    Examples
    --------
    >>> check_payload(CaseEvent.CLOSE, {"note": "已公开账目"})
    []
    >>> print(check_payload(CaseEvent.DISPATCH, {"owner": "云溪镇", "due_on": "2026-13-01", "note": ""})[0])
    派单 due_on：发现“2026-13-01”；应为：日期，如 2026-10-31；处理办法：按要求填写后重新提交。
    """
    faults = list(_check_object(payload, _PAYLOADS[event], event.label))
    if event is CaseEvent.RECTIFY and not faults:
        for number, item in enumerate(payload["evidence"], start=1):
            faults += _check_object(item, _EVIDENCE, f"{event.label} 佐证材料第{number}项")
        try:
            canonical(payload)
        except (TypeError, ValueError, RecursionError):
            faults.append(
                Fault(f"{event.label} amendments", "不能写成 JSON 的值", "JSON 值", "刷新页面后重试")
            )
    return faults


def _check_object(value: Any, wanted: Mapping[str, _Check], where: str) -> Iterable[Fault]:
    if not isinstance(value, Mapping):
        yield Fault(where, type(value).__name__, "JSON 对象", "刷新页面后重试")
        return
    missing = "、".join(sorted(set(wanted) - set(value)))
    unknown = "、".join(sorted(map(str, set(value) - set(wanted))))
    for found in (f"缺少 {missing}" if missing else "", f"多出 {unknown}" if unknown else ""):
        if found:
            yield Fault(where, found, "、".join(wanted), "刷新页面后重试")
    for name, check in wanted.items():
        if name in value and (allowed := check(value[name])) is not None:
            yield Fault(f"{where} {name}", _shown(value[name]), allowed, "按要求填写后重新提交")


def _shown(value: Any) -> str:
    text = _UNPRINTABLE.sub("?", str(value))
    return text if len(text) <= 60 else f"{text[:60]}…"


# ---------------------------------------------------------------- checking the chain

FaultKind: TypeAlias = Literal[
    "altered",
    "gap",
    "reordered",
    "replaced",
    "truncated",
    "illegal",
    "derived",
    "run",
    "decision",
    "access",
    "request",
    "evidence",
    "guard",
    "file",
]

_REMEDY: Final = "停止登记，保留现场，用最近的备份和另存的链头核对"


@dataclass(frozen=True)
class ChainFault:
    """One thing in a ledger that is not as it was recorded.

    Parameters
    ----------
    sequence
        Event it was found at, or that last touched what is wrong; 0 where no single event is.
    kind
        ``altered`` (content and hash disagree), ``gap`` (an event is missing), ``reordered`` (it stands in
        another place), ``replaced`` (it was exchanged together with its hash), ``truncated`` (the ledger ends
        before a kept head, or holds another event there), ``illegal`` (no such event was possible),
        ``derived`` (the state of a case is not what its events say), ``run`` (a published run), ``evidence``
        (a file), ``guard`` (a trigger is missing or changed), ``file`` (the database file is damaged).
    where, found, allowed
        Place, finding and what should stand there, in Chinese.
    """

    sequence: int
    kind: FaultKind
    where: str
    found: str
    allowed: str

    @property
    def fault(self) -> Fault:
        """The fault with its remedy."""
        return Fault(self.where, self.found, self.allowed, _REMEDY)

    def __str__(self) -> str:
        """Return the fault as one Chinese sentence."""
        return str(self.fault)


@dataclass
class _Chain:
    """Columns of a frame of events in order of sequence, with the hash that each should have."""

    sequence: list[int]
    previous: list[Any]
    hash: list[Any]
    true: list[str] = field(default_factory=list)

    @property
    def altered(self) -> list[bool]:
        return [a != b for a, b in zip(self.hash, self.true, strict=True)]


def check_chain(events: pd.DataFrame, head: Head | None = None) -> list[ChainFault]:
    """Find every event that is not as it was recorded.

    Parameters
    ----------
    events
        The whole ledger, columns :data:`EVENT_COLUMNS`, any order; ``happened_on`` as dates or ISO text.
    head
        A head kept elsewhere; the ledger must hold that very event at that place. Without one, events cut off
        at the end leave no trace here.

    Returns
    -------
    list of ChainFault
        By sequence. An altered byte is found at its own event. An event exchanged together with its hash is
        found by the event after it. Whoever writes all following events anew is found by a kept head alone.

    Examples
    --------
    >>> check_chain(pd.DataFrame(columns=list(EVENT_COLUMNS)))
    []
    >>> check_chain(pd.DataFrame(columns=list(EVENT_COLUMNS)), Head(3, "ab" * 32))[0].kind
    'truncated'
    """
    chain = _chain(events)
    count = len(chain.sequence)
    whole = chain.sequence == list(range(1, count + 1))
    if not (whole and chain.true == chain.hash and chain.previous == [GENESIS, *chain.hash][:count]):
        faults = _located(chain)
    else:
        faults = []
    if head is not None and head.sequence:
        standing = dict(zip(chain.sequence, chain.hash, strict=True)).get(head.sequence)
        if standing != head.hash:
            found = "没有这个事件" if standing is None else "另一个事件"
            place = f"事件 {head.sequence}"
            faults.append(
                ChainFault(head.sequence, "truncated", place, found, f"链头记录的 {head.hash[:12]}…")
            )
    return sorted(faults, key=lambda fault: fault.sequence)


def _chain(events: pd.DataFrame) -> _Chain:
    """Return the chain of a frame; what cannot be read gives a hash that no event has."""
    frame = events.sort_values("sequence", kind="stable")
    days = frame["happened_on"]
    columns = {name: frame[name].tolist() for name in EVENT_COLUMNS if name != "happened_on"}
    columns["happened_on"] = _day_texts(days)
    chain = _Chain([int(n) for n in columns["sequence"]], columns["previous_hash"], columns["hash"])
    dumps = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode
    sha256 = hashlib.sha256
    for previous, *values in zip(columns["previous_hash"], *(columns[n] for n in _BODY), strict=True):
        try:
            body = dumps(dict(zip(_BODY, values, strict=True)))
            text = f"{previous}\n{body}".encode("utf-8", "surrogatepass")
            chain.true.append(sha256(text).hexdigest())
        except TypeError:  # bytes in a text column
            chain.true.append("")
    return chain


def _day_texts(days: pd.Series[Any]) -> list[Any]:
    if days.dtype.kind == "M":
        texts: list[Any] = np.datetime_as_string(days.to_numpy("datetime64[D]"), unit="D").tolist()
        return texts
    return [day.isoformat() if isinstance(day, dt.date) else day for day in days.tolist()]


def _located(chain: _Chain) -> list[ChainFault]:
    """Return the faults of a chain that is not whole, by following the links from the first event."""
    count = len(chain.sequence)
    altered = chain.altered
    followers: dict[str, list[int]] = {}
    for row in range(count):
        followers.setdefault(chain.previous[row], []).append(row)
    place = [0] * count  # where each event belongs, from its links; its own sequence where no link tells
    linked = [False] * count
    placed: set[int] = set()
    end: int | None = None
    lowest = 0
    while len(placed) < count:
        links = (GENESIS,) if end is None else (chain.hash[end], chain.true[end])
        after = [r for link in dict.fromkeys(links) for r in followers.get(link, []) if r not in placed]
        before = 0 if end is None else place[end]
        if after and (end is not None or not placed):
            row = min(after, key=lambda r: (chain.sequence[r] != before + 1, chain.sequence[r]))
            place[row], linked[row] = before + 1, True
        else:
            while lowest in placed:
                lowest += 1
            row = lowest
            place[row] = chain.sequence[row]
        placed.add(row)
        end = row
    taken = set(place)
    faults = [
        ChainFault(n, "gap", f"事件 {n}", "缺失", "序号从 1 起连续")
        for n in range(1, max(place, default=0))
        if n not in taken
    ]
    by_sequence = {sequence: row for row, sequence in enumerate(chain.sequence)}
    for row, sequence in enumerate(chain.sequence):
        where = f"事件 {sequence}"
        if altered[row]:
            faults.append(ChainFault(sequence, "altered", where, "内容与哈希不符", "登记时的内容"))
        elif place[row] != sequence:
            found = f"原为第 {place[row]} 个事件"
            faults.append(ChainFault(sequence, "reordered", where, found, "登记时的次序"))
        elif not linked[row] and (sequence == 1 or sequence - 1 in taken):
            last = by_sequence.get(sequence - 1, row)
            if not altered[last]:
                number = chain.sequence[last]
                found = "连同哈希被整条替换"
                faults.append(ChainFault(number, "replaced", f"事件 {number}", found, "登记时的事件"))
    return faults
