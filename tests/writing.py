"""A real writer process, and how to talk to it over its socket."""

from __future__ import annotations

import http.client
import io
import json
import os
import secrets
import socket
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huanjie_lib.casework.events import Action, Actor
from huanjie_lib.store.tokens import Purpose, TokenSigner
from huanjie_lib.store.writer import Settings

__all__ = ["FILES", "WriterProcess", "alive", "request_of"]


def _office(part: str, **more: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in {"[Content_Types].xml": "<Types/>", part: "<x/>", **more}.items():
            archive.writestr(name, text)
    return content.getvalue()


FILES = {
    "通知.pdf": b"%PDF-1.7 ...",
    "截图.png": b"\x89PNG\r\n\x1a\n...",
    "照片.jpg": b"\xff\xd8\xff\xe0...",
    "说明.docx": _office("word/document.xml"),
    "台账.xlsx": _office("xl/workbook.xml"),
    "宏.xlsx": _office("xl/workbook.xml", **{"xl/vbaProject.bin": "macro"}),
}
"""Content of files by name: each is what its name says, the last one beside that holds macros."""


def request_of(action: Action) -> bytes:
    """Return what a page sends for an action: everything but who acts."""
    told = json.loads(action.to_json())
    del told["actor"]
    return json.dumps(told).encode()


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self._path)


class WriterProcess:
    """A writer as ``huanjie serve`` starts it.

    Parameters
    ----------
    store
        The ledger.
    folder
        A short one, for the socket.
    environment
        Environment of the process; this one's when omitted.
    """

    def __init__(self, store: str, folder: Path, *, environment: Mapping[str, str] | None = None) -> None:
        key = secrets.token_bytes(32)
        self.signer = TokenSigner(key)
        self.socket = folder / "w.sock"
        home = Path(store).parent
        settings = Settings(store, key.hex(), str(self.socket), str(home / "evidence"), str(home / "heads"))
        self.key = key.hex()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "huanjie_lib.store.writer"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=None if environment is None else dict(environment),
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(settings.to_json().encode() + b"\n")
        self.process.stdin.flush()
        self.told = json.loads(self.process.stdout.readline() or "{}")
        self._log: str | None = None

    def ask(
        self,
        path: str,
        body: Any = None,
        *,
        method: str | None = None,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """Return status and answer of a request; a body that is no bytes goes out in chunks."""
        connection = _UnixConnection(str(self.socket))
        try:
            sent = dict(headers or {})
            if token is not None:
                sent["Authorization"] = f"Bearer {token}"
            connection.request(method or ("GET" if body is None else "POST"), path, body, sent)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def sign(self, actor: Actor, purpose: Purpose = "append") -> str:
        """Return a token."""
        return self.signer.sign(actor, purpose)

    def append(self, action: Action) -> tuple[int, dict[str, Any]]:
        """Ask for an event on behalf of its own actor."""
        return self.ask("/append", request_of(action), token=self.sign(action.actor))

    def upload(
        self, actor: Actor, name: str, content: Any, media_type: str = ""
    ) -> tuple[int, dict[str, Any]]:
        """Upload a file; the name is sent as it is."""
        headers = {"X-File-Name": name, "Content-Type": media_type}
        return self.ask("/evidence", content, token=self.sign(actor, "evidence"), headers=headers)

    def stop(self) -> str:
        """End it as its parent does, and return what it logged."""
        if self._log is not None:
            return self._log
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        if not self.process.stdin.closed:
            self.process.stdin.close()
        self.process.wait(60)
        with self.process.stdout, self.process.stderr:
            self._log = self.process.stderr.read().decode("utf-8")
        return self._log


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that has ended and waits to be reaped does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
