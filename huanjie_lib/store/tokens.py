"""Short-lived signed tokens: how the server of a screen tells the writer on whose behalf it asks.

Both know a key of 32 random bytes that is made for each writer and lies in no file. A token names account,
office, role and scope and what it is for; the writer takes who acts from there and from nowhere else.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Any, Final, Literal, TypeAlias

from itsdangerous import BadData, TimestampSigner, URLSafeTimedSerializer

from huanjie_lib.casework.events import Actor
from huanjie_lib.errors import (
    EarlyTokenError,
    ExpiredTokenError,
    Fault,
    ForgedTokenError,
    WrongPurposeError,
)
from huanjie_lib.vocabulary import Role

__all__ = ["KEY_BYTES", "Purpose", "TokenSigner"]

Purpose: TypeAlias = Literal["append", "evidence", "decide", "access", "head"]

KEY_BYTES: Final = 32
_SALT: Final = "huanjie.writer"
_SKEW_S: Final = 5
"""Seconds that a clock may be put back between signing and reading."""
_REMEDY: Final = "刷新页面后重试；仍不行时重新运行 huanjie serve"
_ROLES: Final = Role.lookup()


class TokenSigner:
    """Signs and reads tokens.

    Parameters
    ----------
    key
        Random bytes, at least :data:`KEY_BYTES`.
    life
        Seconds a token is good for.
    clock
        Seconds since 1970.

    Raises
    ------
    ValueError
        If the key is too short.

    Examples
    --------
    >>> signer = TokenSigner(b"k" * 32, clock=lambda: 1_800_000_000)
    >>> token = signer.sign(Actor("li", "云溪镇", Role.TOWNSHIP, ("990101101",)), "append")
    >>> signer.read(token, "append")
    Actor(account='li', office='云溪镇', role=<Role.TOWNSHIP: 'township'>, scope=('990101101',))
    >>> signer.read(token, "evidence")
    Traceback (most recent call last):
        ...
    huanjie_lib.errors.WrongPurposeError: 请求没有通过校验（共 1 处问题）
      1. 请求凭证：发现“append”；应为：evidence；处理办法：刷新页面后重试；仍不行时重新运行 huanjie serve。
    """

    def __init__(self, key: bytes, *, life: float = 60.0, clock: Callable[[], float] = time.time) -> None:
        if len(key) < KEY_BYTES:
            raise ValueError(f"a key has at least {KEY_BYTES} bytes")
        self._life, self._clock = life, clock
        self._serializer = URLSafeTimedSerializer(
            key,
            salt=_SALT,
            signer=_ClockedSigner,
            signer_kwargs={"clock": clock, "digest_method": hashlib.sha256, "key_derivation": "hmac"},
        )

    def sign(self, actor: Actor, purpose: Purpose) -> str:
        """Return a token, of characters that a header may hold."""
        claims = [actor.account, actor.office, actor.role.value, list(actor.scope), purpose]
        token = self._serializer.dumps(claims)
        return token if isinstance(token, str) else token.decode("ascii")

    def read(self, token: str, purpose: Purpose) -> Actor:
        """Return who acts, by a token.

        Raises
        ------
        ForgedTokenError
            If the token is missing, altered or signed with another key.
        ExpiredTokenError, EarlyTokenError
            If it is too old, or from the future by more than a few seconds.
        WrongPurposeError
            If it was signed for something else.
        """
        try:
            claims, signed_at = self._serializer.loads(token, return_timestamp=True)
        except BadData as error:
            raise ForgedTokenError("请求没有通过校验", [_fault("签名不符", "本服务签发的凭证")]) from error
        age = self._clock() - signed_at.timestamp()
        if age > self._life:
            found = f"签发于 {age:.0f} 秒前"
            raise ExpiredTokenError("请求没有通过校验", [_fault(found, f"{self._life:g} 秒以内")])
        if age < -_SKEW_S:
            found = f"签发时间比现在晚 {-age:.0f} 秒"
            raise EarlyTokenError("请求没有通过校验", [_fault(found, "本机时钟正确")])
        account, office, role, scope, signed_for = claims
        if signed_for != purpose:
            raise WrongPurposeError("请求没有通过校验", [_fault(signed_for, purpose)])
        return Actor(account, office, _ROLES[role], tuple(scope))


class _ClockedSigner(TimestampSigner):
    """A signer with a clock of its own."""

    def __init__(self, *args: Any, clock: Callable[[], float], **options: Any) -> None:
        super().__init__(*args, **options)
        self._clock = clock

    def get_timestamp(self) -> int:
        return int(self._clock())


def _fault(found: str, allowed: str) -> Fault:
    return Fault("请求凭证", found, allowed, _REMEDY)
