"""A ledger on a disk that fails at every single change in turn; run on the watched disk.

``python -m tests.faults.failing FOLDER ENOSPC|EIO`` rectifies a case with an evidence file again and again,
the disk failing from the first change on, from the second, and so on until the action goes through in spite
of it. After each failure the disk is well again and the very same action is sent once more. Prints a line
of JSON for each round: changes let through, error, and everything that is wrong.
"""

from __future__ import annotations

import ctypes
import errno
import io
import json
import sys
from pathlib import Path
from random import Random

from huanjie_lib.casework.events import Action
from huanjie_lib.errors import LedgerError
from huanjie_lib.store.evidence import Evidence
from huanjie_lib.store.ledger import Ledger, open_ledger
from huanjie_lib.vocabulary import CaseEvent
from tests.faults.histories import OPENED_ON, OWNER, dispatch, opening

CASE = "C1"


def main(folder: Path, code: int) -> None:
    """Fail at every change of one rectification in turn."""
    disk = ctypes.CDLL(None)
    ledger = open_ledger(folder / "ledger.db", create=True)
    ledger.append(opening("e0", CASE))
    ledger.append(dispatch("e1", CASE, 1))
    acknowledged = ["e0", "e1"]
    for let_through in range(1000):
        event_id = f"f{let_through}"
        content = Random(event_id).randbytes(20_000)
        version = ledger.case(CASE).version
        disk.disk_fail(let_through, code)
        try:
            rectify(ledger, event_id, version, content)
            failure = ""
        except LedgerError as error:
            failure = type(error).__name__
        finally:
            disk.disk_fail(-1, 0)
        wrong = [str(fault) for fault in ledger.verify()]
        rectify(ledger, event_id, version, content)
        acknowledged.append(event_id)
        wrong += [str(fault) for fault in ledger.verify()]
        if ledger.events()["event_id"].tolist() != acknowledged:
            wrong.append("the events are not those acknowledged")
        sys.stdout.write(json.dumps({"let_through": let_through, "error": failure, "wrong": wrong}) + "\n")
        if not failure:
            break


def rectify(ledger: Ledger, event_id: str, version: int, content: bytes) -> None:
    """Keep an evidence file and record the rectification it proves."""
    kept: Evidence = ledger.evidence.put(io.BytesIO(content), name="账目.pdf", media_type="application/pdf")
    payload = {"note": "已公开账目", "evidence": [kept.to_json()], "amendments": []}
    ledger.append(Action(event_id, CASE, CaseEvent.RECTIFY, OWNER, OPENED_ON, version, payload))


if __name__ == "__main__":
    main(Path(sys.argv[1]), getattr(errno, sys.argv[2]))
