"""The keys of the organisation office, and what is made with them: pseudonyms and sealed fields.

An ID number has a few thousand million likely values, so a plain hash of it is found by trying them all. A
pseudonym is therefore a keyed hash: HMAC-SHA-256 (RFC 2104, FIPS 198-1), cut to 80 bits. Among a million
people two share a pseudonym with a chance of 4 in 10 million million (birthday bound n²/2⁸¹).

Names and ID numbers are sealed with AES-SIV (RFC 5297): encrypted and authenticated, and bound to the field
and the person, so that a sealed name moved to another row no longer opens. Sealing has no random part: equal
tables stay equal byte for byte. Within one field and person an observer can tell that a value is unchanged;
nothing else.

Whoever holds the key file can open every sealed field. It lies apart from the data and no kernel of a screen
that shows no names is given it.

New keys do not forget: a pseudonym of a later generation is the keyed hash, under the new key, of the
pseudonym before it. So whatever goes by an old pseudonym, with or without an ID number at hand, gets its new
one; a person who registers again is the same person; and whoever holds the new keys recognises an old
pseudonym in the append-only ledger. Whoever holds the old keys alone can make none of the new ones.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import re
import secrets
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from huanjie_lib.errors import DataError, Fault, UsageError

__all__ = ["KEY_FORMAT", "PSEUDONYM", "KeyRing", "PseudonymKind", "SealError", "SealedField"]

KEY_FORMAT: Final = "huanjie-keys/1"
"""Format of a key file."""
ROTATED_FORMAT: Final = "huanjie-keys/2"
"""Format of a key file with former keys, which programs before it must not read."""
PSEUDONYM: Final = "[PRHM][A-Z2-7]{16}"
"""Regular expression of a pseudonym that this module makes."""

PseudonymKind = Literal["person", "rater", "household", "mentor"]
"""What a pseudonym stands for; equal texts of two kinds have unrelated pseudonyms."""

SealedField = Literal["name", "id_number"]
"""What is sealed."""

_PREFIX: Final[dict[PseudonymKind, str]] = {"person": "P", "rater": "R", "household": "H", "mentor": "M"}
_PSEUDONYM_BYTES: Final = 10
_PSEUDONYM_KEY_BYTES: Final = 32
_SEALING_KEY_BYTES: Final = 64


class SealError(DataError):
    """A sealed field that this key doesn't open: another key, a changed text, or a row that was moved."""


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Two independent secret keys.

    Parameters
    ----------
    pseudonym_key
        32 bytes, for pseudonyms.
    sealing_key
        64 bytes, for sealed fields (AES-256 in SIV mode takes two halves).
    is_sample
        Whether the keys are those of a synthetic city, which everyone can derive from its seed. Real people
        are never registered under them.
    former
        Pseudonym keys of earlier generations, the oldest first.

    Raises
    ------
    ValueError
        If a key has another length.

    Examples
    --------
    >>> keys = KeyRing(bytes(range(32)), bytes(range(64)), is_sample=True)
    >>> keys
    KeyRing(sample, fingerprint='5ab8c392')
    >>> ref = keys.pseudonym("person", "99010119491231002x")
    >>> ref, ref == keys.pseudonym("person", " 99010119491231002X ")
    ('PKYG7TXRSW3CMBRJB', True)
    >>> keys.unseal(keys.seal("某某", "name", ref), "name", ref)
    '某某'
    """

    pseudonym_key: bytes = field(repr=False)
    sealing_key: bytes = field(repr=False)
    is_sample: bool = False
    former: tuple[bytes, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        """Refuse keys of a wrong length."""
        if any(len(key) != _PSEUDONYM_KEY_BYTES for key in self.former):
            raise ValueError(f"a former pseudonym key has not {_PSEUDONYM_KEY_BYTES} bytes")
        lengths = (len(self.pseudonym_key), len(self.sealing_key))
        if lengths != (_PSEUDONYM_KEY_BYTES, _SEALING_KEY_BYTES):
            raise ValueError(f"keys have {lengths} bytes, not {(_PSEUDONYM_KEY_BYTES, _SEALING_KEY_BYTES)}")

    def __repr__(self) -> str:
        """Return the fingerprint; never the keys."""
        kind = "sample, " if self.is_sample else ""
        return f"KeyRing({kind}fingerprint={self.fingerprint!r})"

    @property
    def fingerprint(self) -> str:
        """Eight characters that tell keys apart and reveal nothing of them."""
        return hmac.new(self.pseudonym_key, b"fingerprint", hashlib.sha256).hexdigest()[:8]

    # ------------------------------------------------------------ key files

    @classmethod
    def ephemeral(cls) -> KeyRing:
        """Draw new keys from the operating system, for one check; what is made with them is thrown away."""
        return cls(secrets.token_bytes(_PSEUDONYM_KEY_BYTES), secrets.token_bytes(_SEALING_KEY_BYTES))

    @classmethod
    def create(cls, path: Path) -> KeyRing:
        """Draw new keys from the operating system and write them to a file that only its owner can read.

        Raises
        ------
        UsageError
            If the file is there already: overwriting keys would make every sealed field unreadable.
        """
        keys = cls.ephemeral()
        keys.write(path)
        return keys

    @classmethod
    def from_seed(cls, seed: int) -> KeyRing:
        """Return the keys of a synthetic city: anyone can derive them, so they protect nothing."""

        def derived(purpose: str, size: int) -> bytes:
            return hashlib.shake_256(f"huanjie sample {purpose} {seed}".encode()).digest(size)

        return cls(
            derived("pseudonym", _PSEUDONYM_KEY_BYTES), derived("sealing", _SEALING_KEY_BYTES), is_sample=True
        )

    def rotated(self) -> KeyRing:
        """Draw new keys that make the next generation of these keys' pseudonyms."""
        drawn = KeyRing.ephemeral()
        return replace(drawn, is_sample=self.is_sample, former=(*self.former, self.pseudonym_key))

    def write(self, path: Path) -> None:
        """Write the keys to a new file that only its owner can read.

        Raises
        ------
        UsageError
            If the file is there already, or its folder can't be written to.
        """
        content: dict[str, object] = {
            "format": ROTATED_FORMAT if self.former else KEY_FORMAT,
            "sample": self.is_sample,
            "pseudonym": base64.b64encode(self.pseudonym_key).decode(),
            "sealing": base64.b64encode(self.sealing_key).decode(),
        }
        if self.former:
            content["former"] = [base64.b64encode(key).decode() for key in self.former]
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError as error:
            remedy = "换一个文件名；覆盖密钥会使已有的身份信息再也打不开"
            raise UsageError(
                "密钥文件没有写入", [Fault("密钥文件", str(path), "还没有的文件", remedy)]
            ) from error
        except OSError as error:
            fault = Fault("密钥文件", str(path), "可以写入的文件夹", "换一个文件夹，或先建立它")
            raise UsageError("密钥文件没有写入", [fault]) from error
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(content, stream, indent=1)
            stream.write("\n")

    @classmethod
    def read(cls, path: Path) -> KeyRing:
        """Read a key file.

        Raises
        ------
        UsageError
            If there is no such file, others than its owner may read it, or it is no key file.
        """
        if not path.is_file():
            remedy = "核对路径；示例数据的密钥用 huanjie init --key 写出"
            raise UsageError("没有密钥文件", [Fault("密钥文件", str(path), "已有的密钥文件", remedy)])
        mode = path.stat().st_mode & 0o777
        if os.name == "posix" and mode & 0o077:
            fault = Fault(
                f"密钥文件 {path}", f"权限 {mode:o}", "只有本人可读写（600）", f"运行 chmod 600 {path}"
            )
            raise UsageError("密钥文件别人也能读，没有使用", [fault])
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            earlier = content["former"] if content["format"] == ROTATED_FORMAT else []
            if content["format"] not in {KEY_FORMAT, ROTATED_FORMAT}:
                raise ValueError(content["format"])
            texts = (content["pseudonym"], content["sealing"], *earlier)
            pseudonym, sealing, *former = (base64.b64decode(text, validate=True) for text in texts)
            return cls(pseudonym, sealing, is_sample=bool(content["sample"]), former=tuple(former))
        except (ValueError, KeyError, TypeError, binascii.Error) as error:
            allowed = f"{KEY_FORMAT} 格式的密钥文件"
            fault = Fault(f"密钥文件 {path}", "读不懂的内容", allowed, "换用备份的密钥文件")
            raise UsageError("密钥文件不能使用", [fault]) from error

    # ------------------------------------------------------------ pseudonyms

    def pseudonym(self, kind: PseudonymKind, text: str) -> str:
        """Return the pseudonym of a person, rater, household or mentor.

        Parameters
        ----------
        kind
            What the text names.
        text
            ID number or other identifier; full-width forms, blanks around it and case make no difference.

        Returns
        -------
        str
            A letter for the kind and 16 characters of base 32 (RFC 4648).

        Raises
        ------
        ValueError
            If the text is blank: everyone without a number would be one person.
        """
        plain = unicodedata.normalize("NFKC", text).strip().upper()
        if not plain:
            raise ValueError("a blank text has no pseudonym")
        first, *later = (*self.former, self.pseudonym_key)
        return _moved_on(_keyed(first, _PREFIX[kind], f"{kind}\x1f{plain}"), later)

    def successor(self, ref: str) -> str:
        """Return the pseudonym under these keys of whoever had one under the keys before them.

        Raises
        ------
        ValueError
            If it is no pseudonym that such keys make.

        Examples
        --------
        >>> old = KeyRing(bytes(range(32)), bytes(range(64)))
        >>> new = old.rotated()
        >>> new.successor(old.pseudonym("rater", "7")) == new.pseudonym("rater", "7")
        True
        """
        return _moved_on(ref, [self.pseudonym_key])

    def recognised(self, refs: Iterable[str], known: Collection[str]) -> dict[str, str]:
        """Return, of references that are not known, those of earlier generations with the known one.

        Parameters
        ----------
        refs
            Pseudonyms of any generation, and anything else, as an append-only log holds them.
        known
            Pseudonyms under these keys.

        Examples
        --------
        >>> old = KeyRing(bytes(range(32)), bytes(range(64)))
        >>> new = old.rotated().rotated()
        >>> then, now = (keys.pseudonym("person", "1") for keys in (old, new))
        >>> new.recognised([then, now, "x"], {now}) == {then: now}
        True
        """
        steps = (*self.former[1:], self.pseudonym_key) if self.former else ()
        found = {}
        for ref in set(refs) - set(known):
            if re.fullmatch(PSEUDONYM, ref):
                for start in reversed(range(len(steps))):
                    later = _moved_on(ref, steps[start:])
                    if later in known:
                        found[ref] = later
                        break
        return found

    # ------------------------------------------------------------ sealing

    def seal(self, text: str, what: SealedField, person_ref: str) -> str:
        """Return a text sealed for one field of one person, in base 64 for URLs (RFC 4648)."""
        sealed = AESSIV(self.sealing_key).encrypt(text.encode(), [what.encode(), person_ref.encode()])
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def unseal(self, sealed: str, what: SealedField, person_ref: str) -> str:
        """Return the text that was sealed.

        Raises
        ------
        SealError
            If it was sealed with other keys, for another field or person, or was changed since.
        """
        try:
            raw = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
            return AESSIV(self.sealing_key).decrypt(raw, [what.encode(), person_ref.encode()]).decode()
        except (InvalidTag, binascii.Error, ValueError) as error:
            fault = Fault(
                f"人员 {person_ref}",
                "打不开的密文",
                "用本密钥封存、未经改动的内容",
                "核对密钥文件是否与数据配套；数据是否被改动或错行",
            )
            raise SealError("身份信息打不开", [fault]) from error


def _keyed(key: bytes, prefix: str, text: str) -> str:
    """Return a keyed hash as a letter and 16 characters of base 32."""
    digest = hmac.new(key, text.encode(), hashlib.sha256).digest()
    return prefix + base64.b32encode(digest[:_PSEUDONYM_BYTES]).decode()


def _moved_on(ref: str, keys: Iterable[bytes]) -> str:
    """Return the pseudonym that a pseudonym becomes, one generation for each key."""
    if not re.fullmatch(PSEUDONYM, ref):
        raise ValueError("this is no pseudonym")
    for key in keys:
        ref = _keyed(key, ref[0], f"successor\x1f{ref}")
    return ref
