"""Writes a parameter pack: a proposal put down, which an office adopts by running with ``--pack``.

A pack is written whole or not at all: it is made in a folder of its own beside the target, read back,
compared with what was meant, and only then given its name. Equal arguments give equal bytes.
"""

from __future__ import annotations

import datetime as dt
import enum
import hashlib
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel

from huanjie_lib.errors import Fault, UsageError
from huanjie_lib.parameters import (
    Classification,
    Framework,
    ParameterSet,
    RulePack,
    available_regions,
    load_parameters,
)

__all__ = ["check_target", "write_pack"]

_Dated = TypeVar("_Dated", Framework, Classification)

_NOTE = (
    "# 本参数包由程序写出，依据 {base}。\n"
    "# 采用办法：运行 huanjie run --pack 本文件夹。原参数包中的注释没有保留。\n"
)


def check_target(folder: Path, *, author: str, reason: str) -> None:
    """Refuse what :func:`write_pack` would refuse before it has anything to write.

    Raises
    ------
    UsageError
        If author or reason is empty, or the folder exists or cannot be made.
    """
    faults = [
        Fault(name, "空", "一句话", f"写明{what}")
        for name, text, what in (("作者", author, "谁提出或决定"), ("理由", reason, "为什么这样定"))
        if not text.strip()
    ]
    faults += [
        Fault("参数包文件夹", str(parent), "文件夹，不能是文件", "换一个位置")
        for parent in folder.parents
        if parent.is_file()
    ]
    if folder.exists():
        faults.append(_taken(folder))
    if faults:
        raise UsageError("不能写出参数包", faults)


def write_pack(
    parameters: ParameterSet,
    folder: Path,
    *,
    framework: Framework,
    author: str,
    reason: str,
    effective_from: dt.date,
    classification: Classification | None = None,
) -> Path:
    """Write a pack folder with another framework, and with everything else that the parameters hold.

    Parameters
    ----------
    parameters
        Adopted parameters.
    folder
        New folder; its parent is made where it does not exist.
    framework
        Framework to be written; its version, author, reason and dates are replaced.
    author, reason
        Who proposes or adopts it, and why.
    effective_from
        First day on which it holds.
    classification
        Other cut-offs, dated in the same way; the adopted ones when omitted.

    Returns
    -------
    pathlib.Path
        The folder. ``load_parameters(folder, region=parameters.region)`` gives back equal parameters. The
        region's rules are written only where they are not the shipped ones, so that a shipped rule that a
        new law changes reaches a pack adopted before.

    Raises
    ------
    UsageError
        If author or reason is empty, or the folder exists.
    ParameterError
        If the pack would be refused on reading, such as for weights that do not sum to 1; nothing is left
        behind then.

    Examples
    --------
    >>> adopted = load_parameters()
    >>> with tempfile.TemporaryDirectory() as place:
    ...     pack = write_pack(adopted, Path(place) / "2027", framework=adopted.framework, author="换届办",
    ...                       reason="会议决定", effective_from=dt.date(2027, 1, 1))
    ...     written = load_parameters(pack)
    >>> written.framework.author, written.framework.version[:10], written.rules == adopted.rules
    ('换届办', '2027-01-01', True)
    """
    check_target(folder, author=author, reason=reason)
    author, reason = " ".join(author.split()), " ".join(reason.split())
    stamp = {"author": author, "reason": reason, "effective_from": effective_from, "effective_to": None}
    meant = parameters.model_copy(update={"framework": _dated(framework, stamp)})
    if classification is not None:
        meant = meant.model_copy(update={"classification": _dated(classification, stamp)})
    note = _NOTE.format(base=parameters.version)
    files = {
        f"{name}.yaml": part
        for name in ParameterSet.model_fields
        if isinstance(part := getattr(meant, name), BaseModel)
    }
    if meant.region not in available_regions() or meant.rules != load_parameters(region=meant.region).rules:
        files[f"rules/{meant.region}.yaml"] = _rules(meant, stamp)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as place:
        draft = Path(place) / folder.name
        for name, part in files.items():
            path = draft / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes((note + _yaml(part)).encode())
        if load_parameters(draft, region=meant.region) != meant:
            raise RuntimeError(f"a pack written to {folder} does not read back as it was meant")
        try:
            draft.rename(folder)
        except OSError as error:
            if not folder.exists():
                raise
            raise UsageError("不能写出参数包", [_taken(folder)]) from error
    return folder


def _taken(folder: Path) -> Fault:
    return Fault("参数包文件夹", str(folder), "还没有的文件夹", "换一个名称")


def _dated(part: _Dated, stamp: Mapping[str, Any]) -> _Dated:
    """Return a part with its author, reason and dates, and a version that says its day and content."""
    stamped = part.model_copy(update={**stamp, "version": ""})
    text = json.dumps(stamped.model_dump(mode="json"), ensure_ascii=False, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return stamped.model_copy(update={"version": f"{stamp['effective_from']}-{digest}"})


def _rules(parameters: ParameterSet, stamp: Mapping[str, Any]) -> RulePack:
    return RulePack(
        kind="rules",
        id=parameters.region,
        version=parameters.framework.version,
        title=f"{parameters.region} 适用规则",
        source="写出时有效的全部规则，各条另有出处",
        region=parameters.region,
        rules=parameters.rules,
        **stamp,
    )


class _Dumper(yaml.SafeDumper):
    """Writes lists of plain values on one line, as a person would."""

    def ignore_aliases(self, data: Any) -> bool:
        del data
        return True


def _list(dumper: yaml.SafeDumper, values: list[Any]) -> yaml.Node:
    plain = not any(isinstance(v, dict) for v in values) and not any(isinstance(v, list) for v in values)
    pairs = all(isinstance(v, list) and len(v) == 2 for v in values)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=plain or pairs)


_Dumper.add_representer(list, _list)


def _yaml(part: BaseModel) -> str:
    return yaml.dump(
        _plain(part), Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=100, default_flow_style=False
    )


def _plain(value: Any) -> Any:
    """Return a part as YAML takes it; keys that say nothing beyond an absent default are left out."""
    if isinstance(value, BaseModel):
        fields = sorted(type(value).model_fields.items(), key=lambda field: field[0] != "kind")
        return {
            name: _plain(inner)
            for name, field in fields
            if not ((inner := getattr(value, name)) is None and field.default is None)
        }
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return float(value) if isinstance(value, float) else value
