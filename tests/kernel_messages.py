"""Messages between a page and its kernel, as they stand on the socket (Jupyter's protocol, version 1)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

__all__ = ["PROTOCOL", "Told", "read"]

PROTOCOL = "v1.kernel.websocket.jupyter.org"


@dataclass(frozen=True)
class Told:
    """Kind, number and content of a message, and the number of the one that it answers; empty for none."""

    kind: str
    number: str
    answers: str
    content: Any

    @property
    def dealt_with(self) -> bool:
        """Whether what it answers has been dealt with: all that it brought about has been sent."""
        return self.kind == "status" and self.content["execution_state"] == "idle"


def read(raw: bytes) -> Told:
    """Return a message from the socket."""
    number = int.from_bytes(raw[:8], "little")
    offsets = [int.from_bytes(raw[8 * i : 8 * i + 8], "little") for i in range(1, number + 1)]
    header, parent, content = (json.loads(raw[offsets[i] : offsets[i + 1]]) for i in (1, 2, 4))
    return Told(header["msg_type"], header["msg_id"], (parent or {}).get("msg_id", ""), content)
