"""Who acts: the account, the stamp on what it hands out, its key, and the access log."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from huanjie_lib.errors import Fault, UsageError
from huanjie_lib.vocabulary import AccessAction, Role

if TYPE_CHECKING:
    from huanjie_lib.access.keys import KeyRing
    from huanjie_lib.access.masking import Unmasked
    from huanjie_lib.casework.events import Actor
    from huanjie_lib.contracts import Purpose
    from huanjie_lib.store.ledger import Ledger
    from huanjie_lib.views.stamp import Stamp

__all__ = ["BEIJING", "actor_of", "keys_of", "noting", "stamp_of", "unmasked"]

BEIJING = dt.timezone(dt.timedelta(hours=8))
"""The office's own time: what day it is does not hang on the machine's setting."""


def actor_of(account: str, office: str, role: str) -> Actor:
    """Return the account that acts."""
    from huanjie_lib.casework.events import Actor

    return Actor(account, office, Role.lookup()[role])


def stamp_of(account: str | None, office: str, role: str, purpose: str) -> Stamp:
    """Return what every page of an export bears; the account is that of this machine where none is given."""
    import getpass

    from huanjie_lib.views.stamp import Stamp

    who = account or getpass.getuser()
    return Stamp(who, office, Role.lookup()[role], purpose, dt.datetime.now(BEIJING).date())


def noting(store: str | None, stamp: Stamp, purpose: Purpose) -> Callable[[Mapping[str, bytes]], None] | None:
    """Return what puts files into the access log before they are handed out; nothing without a ledger."""
    if store is None:
        return None

    def note(files: Mapping[str, bytes]) -> None:
        import hashlib
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
                ledger.log_access(entry, actor_of(stamp.account, stamp.office, stamp.role.value))

    return note


def keys_of(path: Path | None) -> KeyRing | None:
    """Read a file of keys, where one is given."""
    from huanjie_lib.access.keys import KeyRing

    return None if path is None else KeyRing.read(path)


def unmasked(
    ledger: Ledger, data: Path, key: Path, person: str, actor: Actor, reason: str, detail: str
) -> Unmasked:
    """Log who sees whose name and why, then open it."""
    import json
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
