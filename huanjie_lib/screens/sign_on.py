"""Who looks, where a reverse proxy signs people on: the accounts that may open a screen.

A proxy that has asked for name and password says in :data:`ACCOUNT_HEADER` who that was. The server believes
it only where nobody else could have said so: over a Unix socket in a folder that only the proxy reaches, or
beside a secret that the proxy alone knows (:data:`SECRET_HEADER`). Office, role and scope of an account stand
in a file of the server's; a request cannot bring its own.
"""

from __future__ import annotations

import hmac
import re
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from huanjie_lib.casework.events import Actor
from huanjie_lib.errors import DataError, Fault, UsageError
from huanjie_lib.vocabulary import Role

__all__ = [
    "ACCOUNT_HEADER",
    "OWN_HEADERS",
    "SECRET_HEADER",
    "NotSignedOnError",
    "SignOn",
    "checked_public",
    "read_accounts",
    "read_secret",
]

ACCOUNT_HEADER: Final = "X-Huanjie-Account"
"""Header in which the proxy tells the account."""
SECRET_HEADER: Final = "X-Huanjie-Proxy"
"""Header in which the proxy brings the secret."""
OWN_HEADERS: Final = "x-huanjie-"
"""How the names of all such headers begin, in lower case: the proxy strips those that a browser sends."""

_FORMAT: Final = "huanjie-accounts/1"
_KEYS: Final = ("account", "office", "role", "scope")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_CODE: Final = re.compile(r"[0-9]{2,12}")
_LONGEST_OFFICE: Final = 60
_SHORTEST_SECRET: Final = 32
_ROLES: Final = {role.value: role for role in Role if role is not Role.SYSTEM}


class NotSignedOnError(Exception):
    """A request that nobody signed on stands behind, or an account that may not open the screen.

    Parameters
    ----------
    title, line
        What the page says.
    log
        What the log says.
    """

    def __init__(self, title: str, line: str, *, log: str) -> None:
        super().__init__(log)
        self.title, self.line = title, line


@dataclass(frozen=True)
class SignOn:
    """How a server learns who looks.

    Parameters
    ----------
    accounts
        Accounts by name.
    role
        Role that the process was started for; no account of another role gets in.
    public
        Address that browsers use, ``https://host`` with a port where it is not the usual one.
    secret
        Secret of the proxy; ``None`` where it comes over a Unix socket that nobody else reaches.

    Examples
    --------
    >>> chen = Actor("chen", "市领导", Role.READER)
    >>> door = SignOn({"chen": chen}, Role.READER, "https://huanjie.example", b"s" * 32)
    >>> door.admit({"X-Huanjie-Account": "chen", "X-Huanjie-Proxy": "s" * 32}).office
    '市领导'
    >>> door.admit({"X-Huanjie-Account": "chen", "X-Huanjie-Role": "city"})
    Traceback (most recent call last):
        ...
    huanjie_lib.screens.sign_on.NotSignedOnError: the proxy's secret is missing or wrong
    """

    accounts: Mapping[str, Actor]
    role: Role
    public: str
    secret: bytes | None = None

    def admit(self, headers: Mapping[str, str]) -> Actor:
        """Return the account that the proxy has signed on.

        Parameters
        ----------
        headers
            Headers of the request; a header that came twice holds both, joined by a comma.

        Raises
        ------
        NotSignedOnError
            If the request does not come from the proxy, or names no account that may open the screen.
        """
        if self.secret is not None:
            brought = headers.get(SECRET_HEADER, "").encode("utf-8", "surrogateescape")
            if not hmac.compare_digest(brought, self.secret):
                raise NotSignedOnError(
                    "没有登录",
                    "请从单位的登录入口打开本界面，不能直接访问。",
                    log="the proxy's secret is missing or wrong",
                )
        name = headers.get(ACCOUNT_HEADER, "")
        if not name:
            raise NotSignedOnError(
                "没有登录", "请从单位的登录入口重新登录后再打开。", log="the proxy named no account"
            )
        actor = self.accounts.get(name)
        if actor is None:
            raise NotSignedOnError(
                "账号没有开通",
                "您的账号还没有开通本界面，请联系管理员在账号表中登记后重新打开。",
                log=f"unknown account {name[:64]!r}",
            )
        if actor.role is not self.role:
            raise NotSignedOnError(
                "账号不能打开本界面",
                f"本界面供“{self.role.label}”的账号使用，您的账号属于“{actor.role.label}”；"
                "请改用本单位的入口，或联系管理员。",
                log=f"account {name} has role {actor.role.value}, this screen is for {self.role.value}",
            )
        return actor


def read_accounts(path: Path) -> dict[str, Actor]:
    """Read an accounts file: YAML with ``format`` and ``accounts``, each of account, office, role, scope.

    Raises
    ------
    UsageError
        If it cannot be read, or others of this machine may change it.
    DataError
        If it is not such a file, with every fault.
    """
    text = _guarded_text(path, "账号表", "--accounts", 0o022, "只有本人可以修改")
    try:
        told = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = path.name if mark is None else f"{path.name} 第 {mark.line + 1} 行"
        fault = Fault(where, "不能解析", "YAML 格式的账号表", "对照 docs/serving.md 中的例子改正")
        raise DataError("账号表不能使用", [fault]) from error
    faults: list[Fault] = []
    if not isinstance(told, dict) or set(told) != {"format", "accounts"} or told["format"] != _FORMAT:
        fault = Fault(path.name, "缺少或多出内容", f"format: {_FORMAT} 和 accounts", "对照例子改正")
        raise DataError("账号表不能使用", [fault])
    rows = told["accounts"]
    if not isinstance(rows, list) or not rows:
        fault = Fault(f"{path.name}：accounts", "没有账号", "至少一个账号", "补充账号")
        raise DataError("账号表不能使用", [fault])
    accounts: dict[str, Actor] = {}
    for number, row in enumerate(rows, 1):
        actor = _account(row, f"{path.name} 第 {number} 个账号", faults)
        if actor is None:
            continue
        if actor.account in accounts:
            where = f"{path.name} 第 {number} 个账号：account"
            faults.append(Fault(where, f"{actor.account}，与前面重复", "不重复的账号", "删除一个"))
        accounts[actor.account] = actor
    if faults:
        raise DataError("账号表不能使用", faults)
    return accounts


def _account(row: Any, where: str, faults: list[Fault]) -> Actor | None:
    """Return an account, or note what is wrong with it."""
    if not isinstance(row, dict) or not set(row) <= set(_KEYS) or not set(_KEYS[:3]) <= set(row):
        found = "、".join(map(str, row)) if isinstance(row, dict) else str(row)[:40]
        faults.append(Fault(where, found, "account、office、role，可以有 scope", "补齐或删去多余的项目"))
        return None
    before = len(faults)
    name, office, role, scope = row["account"], row["office"], row["role"], row.get("scope", [])
    if not (isinstance(name, str) and _NAME.fullmatch(name)):
        allowed = "1 到 64 个字母、数字或 . _ @ -，以字母或数字开头；纯数字要加引号"
        faults.append(Fault(f"{where}：account", str(name)[:40], allowed, "改为登录系统中的账号"))
    if not (isinstance(office, str) and 0 < len(office.strip()) <= _LONGEST_OFFICE):
        allowed = f"单位名称，不超过 {_LONGEST_OFFICE} 个字"
        faults.append(Fault(f"{where}：office", str(office)[:40], allowed, "补充单位名称"))
    if not (isinstance(role, str) and role in _ROLES):
        allowed = "、".join(f"{value}（{one.label}）" for value, one in _ROLES.items())
        faults.append(Fault(f"{where}：role", str(role)[:40], allowed, "改为其中一个"))
    codes = scope if isinstance(scope, list) else [scope]
    for code in codes:
        if not (isinstance(code, str) and _CODE.fullmatch(code)):
            allowed = '加引号的区划代码前 2 到 12 位数字，如 "990101"'
            faults.append(Fault(f"{where}：scope", str(code)[:40], allowed, "改正；不写 scope 为全部地区"))
    if len(faults) > before:
        return None
    return Actor(name, office.strip(), _ROLES[role], tuple(codes))


def read_secret(path: Path) -> bytes:
    """Read the proxy's secret: one line of a file that only its owner may read.

    Raises
    ------
    UsageError
        If it cannot be read, others may read it, or it is too short or not of visible ASCII characters.
    """
    text = _guarded_text(path, "代理密钥", "--proxy-secret", 0o077, "只有本人可以读写").strip()
    if len(text) < _SHORTEST_SECRET or not (text.isascii() and text.isprintable()) or " " in text:
        allowed = f"{_SHORTEST_SECRET} 个以上的字母和数字，一行"
        remedy = "用 openssl rand -hex 32 重新生成"
        raise UsageError("代理密钥不能使用", [Fault(str(path), f"{len(text)} 个字符", allowed, remedy)])
    return text.encode("ascii")


def checked_public(address: str, where: str = "--public") -> str:
    """Return the address that browsers use, ``scheme://host[:port]`` in lower case.

    Parameters
    ----------
    address
        What was given.
    where
        What it was given as, for the error.

    Raises
    ------
    UsageError
        If it is something else.

    Examples
    --------
    >>> checked_public("https://Huanjie.example.gov.cn/")
    'https://huanjie.example.gov.cn'
    """
    parts = urlsplit(address.lower())
    bare = parts.path in {"", "/"} and not (parts.query or parts.fragment) and "@" not in parts.netloc
    if not (bare and parts.scheme in {"http", "https"} and parts.hostname):
        allowed = "浏览器中使用的地址，如 https://huanjie.example.gov.cn"
        raise UsageError("访问地址不对", [Fault(where, address, allowed, f"改正 {where}")])
    return f"{parts.scheme}://{parts.netloc}"


def _guarded_text(path: Path, what: str, option: str, forbidden: int, allowed: str) -> str:
    """Return the text of a file whose mode has none of the forbidden bits."""
    try:
        if sys.platform != "win32" and stat.S_IMODE(path.stat().st_mode) & forbidden:
            found = f"权限 {stat.S_IMODE(path.stat().st_mode):03o}，其他人也可以访问"
            remedy = f"执行 chmod {'600' if forbidden & 0o044 else 'go-w'} {path}"
            raise UsageError(f"{what}不能使用", [Fault(f"{option} {path}", found, allowed, remedy)])
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "不是 UTF-8 文字"
        fault = Fault(f"{option} {path}", str(reason), f"可以读取的{what}", f"检查 {option} 后面的路径和权限")
        raise UsageError(f"{what}不能使用", [fault]) from error
