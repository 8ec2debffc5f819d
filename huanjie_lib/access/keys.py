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
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import secrets
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from huanjie_lib.errors import DataError, Fault, UsageError

__all__ = ["KEY_FORMAT", "KeyRing", "PseudonymKind", "SealError", "SealedField"]

KEY_FORMAT: Final = "huanjie-keys/1"
"""Format of a key file."""

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

    def __post_init__(self) -> None:
        """Refuse keys of a wrong length."""
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

    def write(self, path: Path) -> None:
        """Write the keys to a new file that only its owner can read.

        Raises
        ------
        UsageError
            If the file is there already, or its folder can't be written to.
        """
        content = {
            "format": KEY_FORMAT,
            "sample": self.is_sample,
            "pseudonym": base64.b64encode(self.pseudonym_key).decode(),
            "sealing": base64.b64encode(self.sealing_key).decode(),
        }
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
            if content["format"] != KEY_FORMAT:
                raise ValueError(content["format"])
            secret = [base64.b64decode(content[name], validate=True) for name in ("pseudonym", "sealing")]
            return cls(secret[0], secret[1], is_sample=bool(content["sample"]))
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
        digest = hmac.new(self.pseudonym_key, f"{kind}\x1f{plain}".encode(), hashlib.sha256).digest()
        return _PREFIX[kind] + base64.b32encode(digest[:_PSEUDONYM_BYTES]).decode()

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
