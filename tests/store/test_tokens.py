"""Tokens say who asks: each way one can be wrong is refused by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import URLSafeTimedSerializer

from huanjie_lib.casework.events import Actor
from huanjie_lib.errors import (
    EarlyTokenError,
    ExpiredTokenError,
    ForgedTokenError,
    TokenError,
    WrongPurposeError,
)
from huanjie_lib.store.tokens import TokenSigner
from huanjie_lib.vocabulary import Role
from tests.offices import CITY, COUNTY

KEY = b"k" * 32
NOW = 1_800_000_000


def signer(at: float = NOW, *, key: bytes = KEY, life: float = 60.0) -> TokenSigner:
    """Return a signer whose clock stands still."""
    return TokenSigner(key, life=life, clock=lambda: at)


@given(
    account=st.text(min_size=1, max_size=20),
    office=st.text(min_size=1, max_size=20),
    role=st.sampled_from(list(Role)),
    scope=st.lists(st.text("0123456789", min_size=2, max_size=12), max_size=3).map(tuple),
)
def test_who_was_signed_is_who_is_read(account: str, office: str, role: Role, scope: tuple[str, ...]) -> None:
    actor = Actor(account, office, role, scope)
    token = signer().sign(actor, "append")
    assert signer(NOW + 59).read(token, "append") == actor
    assert token.isascii()


@pytest.mark.parametrize(
    ("at", "error"),
    [
        (NOW + 60, None),
        (NOW + 61, ExpiredTokenError),
        (NOW - 5, None),
        (NOW - 6, EarlyTokenError),
        (NOW - 10**6, EarlyTokenError),
    ],
)
def test_a_token_has_its_time(at: int, error: type[TokenError] | None) -> None:
    token = signer().sign(CITY, "append")
    if error is None:
        assert signer(at).read(token, "append") == CITY
        return
    with pytest.raises(error) as caught:
        signer(at).read(token, "append")
    assert caught.value.faults[0].where == "请求凭证"
    assert caught.value.exit_code > 0


def test_a_token_is_for_one_purpose() -> None:
    with pytest.raises(WrongPurposeError, match="应为：append"):
        signer().read(signer().sign(CITY, "head"), "append")


@given(st.data())
def test_a_token_that_was_altered_anywhere_is_forged(data: st.DataObject) -> None:
    token = signer().sign(COUNTY, "append")
    # The last character of a part carries bits that no byte needs: it may spell the same bytes otherwise.
    inner = [n for n in range(len(token)) if token[n] != "." and token[n + 1 : n + 2] not in {".", ""}]
    place = data.draw(st.sampled_from(inner))
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    other = data.draw(st.sampled_from(letters).filter(lambda letter: letter != token[place]))
    with pytest.raises(TokenError):
        signer().read(token[:place] + other + token[place + 1 :], "append")


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é", "." * 200])
def test_what_is_no_token_is_forged(token: str) -> None:
    with pytest.raises(ForgedTokenError, match="签名不符"):
        signer().read(token, "append")


def test_another_key_or_another_use_of_the_key_is_forged() -> None:
    with pytest.raises(ForgedTokenError):
        signer().read(signer(key=b"o" * 32).sign(CITY, "append"), "append")
    elsewhere = URLSafeTimedSerializer(KEY, salt="elsewhere").dumps(["a", "b", "city", [], "append"])
    with pytest.raises(ForgedTokenError):
        signer().read(str(elsewhere), "append")


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 32 bytes"):
        TokenSigner(b"short")
