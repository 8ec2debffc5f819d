from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huanjie_lib.access.keys import KEY_FORMAT, KeyRing, SealError
from huanjie_lib.errors import UsageError

KEYS = KeyRing(bytes(range(32)), bytes(range(64)))
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)


def test_sealing_is_that_of_rfc_5297() -> None:
    """The deterministic example of RFC 5297, appendix A.1, by the cipher that seals our fields."""
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

    key = bytes.fromhex("fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff")
    data = bytes.fromhex("101112131415161718191a1b1c1d1e1f2021222324252627")
    sealed = AESSIV(key).encrypt(bytes.fromhex("112233445566778899aabbccddee"), [data])
    assert sealed.hex() == "85632d07c6e8f37f950acd320a2ecc9340c02b9690c4dc04daef7f6afe5c"


@given(texts)
def test_what_was_sealed_comes_back_for_its_own_field_and_person_only(text: str) -> None:
    sealed = KEYS.seal(text, "name", "PA")
    assert KEYS.unseal(sealed, "name", "PA") == text
    assert sealed == KEYS.seal(text, "name", "PA")
    for what, ref in (("id_number", "PA"), ("name", "PB")):
        with pytest.raises(SealError):
            KEYS.unseal(sealed, what, ref)  # type: ignore[arg-type]
    with pytest.raises(SealError):
        KeyRing.from_seed(1).unseal(sealed, "name", "PA")


@given(st.integers(0, 33), st.integers(0, 7))
def test_one_changed_bit_is_noticed(place: int, bit: int) -> None:
    import base64

    raw = bytearray(base64.urlsafe_b64decode(KEYS.seal("990101194912310023", "id_number", "PA") + "=="))
    raw[place] ^= 1 << bit
    with pytest.raises(SealError):
        KEYS.unseal(base64.urlsafe_b64encode(bytes(raw)).decode(), "id_number", "PA")


@pytest.mark.parametrize("sealed", ["", "不是密文", "AAAA", "A" * 46])
def test_what_is_no_sealed_field_is_refused_without_repeating_it(sealed: str) -> None:
    with pytest.raises(SealError) as caught:
        KEYS.unseal(sealed, "name", "PA")
    assert not sealed or sealed not in str(caught.value)


def test_pseudonyms_depend_on_key_and_kind_but_not_on_spelling() -> None:
    ref = KEYS.pseudonym("person", "99010119491231002X")
    assert ref == KEYS.pseudonym("person", "９９０１０１１９４９１２３１００２ｘ　")
    others = {
        KEYS.pseudonym("person", "990101194912310011"),
        KEYS.pseudonym("rater", "99010119491231002X"),
        KeyRing(bytes(32), bytes(range(64))).pseudonym("person", "99010119491231002X"),
    }
    assert len(others | {ref}) == 4
    assert len({other[1:] for other in others} | {ref[1:]}) == 4
    with pytest.raises(ValueError, match="blank"):
        KEYS.pseudonym("person", " 　")


def test_a_pseudonym_is_the_standard_hmac(tmp_path: Path) -> None:
    """The same by OpenSSL, which shares no code with Python's hmac module."""
    import base64
    import subprocess

    message = tmp_path / "message"
    message.write_bytes(b"person\x1f99010119491231002X")
    command = ["openssl", "dgst", "-sha256", "-mac", "HMAC", "-macopt", f"hexkey:{KEYS.pseudonym_key.hex()}"]
    told = subprocess.run([*command, "-binary", str(message)], capture_output=True, check=True).stdout
    assert KEYS.pseudonym("person", "99010119491231002X") == "P" + base64.b32encode(told[:10]).decode()


def test_keys_come_back_from_their_file_and_differ_each_time(tmp_path: Path) -> None:
    first, second = KeyRing.create(tmp_path / "a.key"), KeyRing.create(tmp_path / "b.key")
    assert first != second
    assert KeyRing.read(tmp_path / "a.key") == first
    assert (tmp_path / "a.key").stat().st_mode & 0o777 == 0o600
    sample = KeyRing.from_seed(7)
    sample.write(tmp_path / "sample.key")
    assert KeyRing.read(tmp_path / "sample.key").is_sample
    assert not first.is_sample


def test_a_key_file_is_never_overwritten(tmp_path: Path) -> None:
    keys = KeyRing.create(tmp_path / "a.key")
    with pytest.raises(UsageError, match="再也打不开"):
        KeyRing.create(tmp_path / "a.key")
    assert KeyRing.read(tmp_path / "a.key") == keys
    with pytest.raises(UsageError, match="可以写入的文件夹"):
        KeyRing.create(tmp_path / "none" / "a.key")


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize("mode", [0o604, 0o640, 0o644, 0o660])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a.key"
    KeyRing.create(path)
    path.chmod(mode)
    with pytest.raises(UsageError, match="chmod 600"):
        KeyRing.read(path)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        json.dumps({"format": "other/1", "sample": False, "pseudonym": "AA==", "sealing": "AA=="}),
        json.dumps({"format": KEY_FORMAT, "sample": False, "pseudonym": "AA==", "sealing": "AA=="}),
        json.dumps({"format": KEY_FORMAT, "sample": False, "pseudonym": "?", "sealing": "?"}),
    ],
)
def test_what_is_no_key_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.key"
    path.touch(mode=0o600)
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match="密钥文件不能使用"):
        KeyRing.read(path)
    with pytest.raises(UsageError, match="没有密钥文件"):
        KeyRing.read(tmp_path / "none.key")


def test_no_message_or_repr_holds_a_key(tmp_path: Path) -> None:
    keys = KeyRing.create(tmp_path / "a.key")
    shown = repr(keys) + str(keys) + f"{keys}"
    written = json.loads((tmp_path / "a.key").read_text(encoding="utf-8"))
    for secret in (
        keys.pseudonym_key.hex(),
        keys.sealing_key.hex(),
        written["pseudonym"],
        written["sealing"],
    ):
        assert secret[:12] not in shown


def test_new_keys_make_the_next_generation_of_every_pseudonym() -> None:
    second = KEYS.rotated()
    third = second.rotated()
    for kind in ("person", "rater", "household", "mentor"):
        refs = [keys.pseudonym(kind, "1") for keys in (KEYS, second, third)]  # type: ignore[arg-type]
        assert len(set(refs)) == 3
        assert second.successor(refs[0]) == refs[1]
        assert third.successor(refs[1]) == refs[2]
    with pytest.raises(ValueError, match="no pseudonym"):
        second.successor("p160c93e1f0")


def test_old_keys_cannot_make_what_new_keys_make() -> None:
    second, other = KEYS.rotated(), KEYS.rotated()
    ref = KEYS.pseudonym("person", "1")
    assert second.successor(ref) != other.successor(ref)
    assert second.sealing_key != KEYS.sealing_key
    with pytest.raises(SealError):
        KEYS.unseal(second.seal("某某", "name", ref), "name", ref)


def test_pseudonyms_of_any_generation_are_recognised_and_nothing_else() -> None:
    second = KEYS.rotated()
    third = second.rotated()
    now = {third.pseudonym("person", text): text for text in "ab"}
    earlier = {keys.pseudonym("person", text): text for keys in (KEYS, second) for text in "ab"}
    strangers = [KEYS.pseudonym("person", "c"), "P1", "p160c93e1f0", ""]
    found = third.recognised([*earlier, *now, *strangers], now)
    assert {ref: now[later] for ref, later in found.items()} == earlier
    assert KEYS.recognised(earlier, now) == {}


def test_rotated_keys_come_back_from_their_file_and_older_programs_refuse_it(tmp_path: Path) -> None:
    keys = KeyRing.from_seed(1).rotated().rotated()
    keys.write(tmp_path / "keys")
    again = KeyRing.read(tmp_path / "keys")
    assert again == keys
    assert again.is_sample
    assert len(again.former) == 2
    assert json.loads((tmp_path / "keys").read_text())["format"] != KEY_FORMAT
    KEYS.write(tmp_path / "first")
    assert json.loads((tmp_path / "first").read_text())["format"] == KEY_FORMAT
    with pytest.raises(ValueError, match="former"):
        KeyRing(bytes(32), bytes(64), former=(bytes(3),))
