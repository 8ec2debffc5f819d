"""Who is let in by a proxy, and which files of accounts and secrets are taken."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from huanjie_lib.casework.events import Actor
from huanjie_lib.errors import DataError, UsageError
from huanjie_lib.screens.sign_on import (
    ACCOUNT_HEADER,
    SECRET_HEADER,
    NotSignedOnError,
    SignOn,
    checked_public,
    read_accounts,
    read_secret,
)
from huanjie_lib.vocabulary import Role

SECRET = "0123456789abcdef" * 4
GOOD = """
format: huanjie-accounts/1
accounts:
  - {account: mayor, office: 市委, role: reader}
  - {account: zhao, office: 石桥镇, role: township, scope: ["990101102"]}
"""
MAYOR = Actor("mayor", "市委", Role.READER)
ZHAO = Actor("zhao", "石桥镇", Role.TOWNSHIP, ("990101102",))


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    file = folder / "file"
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    return file


class TestAccounts:
    def test_a_good_file(self, tmp_path: Path) -> None:
        assert read_accounts(written(tmp_path, GOOD, 0o644)) == {"mayor": MAYOR, "zhao": ZHAO}

    @pytest.mark.parametrize(
        ("row", "told"),
        [
            ("{account: mayor, office: 市委}", "补齐或删去多余的项目"),
            ("{account: mayor, office: 市委, role: reader, rolle: city}", "补齐或删去多余的项目"),
            ("mayor", "account、office、role"),
            ("{account: 'a b', office: 市委, role: reader}", "account：发现“a b”"),
            ("{account: 'a,b', office: 市委, role: reader}", "account：发现“a,b”"),
            ("{account: 123, office: 市委, role: reader}", "纯数字要加引号"),
            ("{account: mayor, office: ' ', role: reader}", "office：发现"),
            ("{account: mayor, office: 市委, role: system}", "role：发现“system”"),
            ("{account: mayor, office: 市委, role: Reader}", "reader（只读）"),
            ("{account: mayor, office: 市委, role: [reader]}", "role：发现"),
            ("{account: mayor, office: 市委, role: reader, scope: [990101]}", "加引号的区划代码"),
            ("{account: mayor, office: 市委, role: reader, scope: ['']}", "scope：发现“”"),
            ("{account: zhao, office: 市委, role: reader}", "与前面重复"),
        ],
    )
    def test_each_fault_is_told_with_its_place(self, tmp_path: Path, row: str, told: str) -> None:
        with pytest.raises(DataError, match=r"账号表不能使用") as caught:
            read_accounts(written(tmp_path, f"{GOOD}  - {row}\n"))
        assert told in str(caught.value)
        assert "第 3 个账号" in str(caught.value)

    @pytest.mark.parametrize(
        "text",
        ["", "[]", "format: huanjie-accounts/2\naccounts: []", "format: huanjie-accounts/1", "a: [", "1"],
    )
    def test_another_file_is_refused(self, tmp_path: Path, text: str) -> None:
        with pytest.raises(DataError, match="账号表不能使用"):
            read_accounts(written(tmp_path, text))

    def test_all_faults_at_once(self, tmp_path: Path) -> None:
        bad = "  - {account: 'x y', office: '', role: boss}\n"
        with pytest.raises(DataError) as caught:
            read_accounts(written(tmp_path, GOOD + bad))
        assert len(caught.value.faults) == 3

    @pytest.mark.skipif(sys.platform == "win32", reason="modes of files are POSIX")
    def test_a_file_that_others_may_change_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="其他人也可以访问"):
            read_accounts(written(tmp_path, GOOD, 0o666))

    def test_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="账号表不能使用"):
            read_accounts(tmp_path / "none")


class TestSecret:
    def test_one_line(self, tmp_path: Path) -> None:
        assert read_secret(written(tmp_path, f"{SECRET}\n")) == SECRET.encode()

    @pytest.mark.parametrize(
        "text", ["", "short", "密" * 40, "a" * 20 + " " + "b" * 20, f"{SECRET}\n{SECRET}"]
    )
    def test_what_no_header_can_hold_or_anyone_can_guess(self, tmp_path: Path, text: str) -> None:
        with pytest.raises(UsageError, match="代理密钥不能使用") as caught:
            read_secret(written(tmp_path, text))
        assert SECRET not in str(caught.value)

    @pytest.mark.skipif(sys.platform == "win32", reason="modes of files are POSIX")
    def test_one_that_others_may_read(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="chmod 600"):
            read_secret(written(tmp_path, SECRET, 0o640))


class TestAdmission:
    def door(self, *, secret: bool = True) -> SignOn:
        accounts = {"mayor": MAYOR, "zhao": ZHAO}
        return SignOn(accounts, Role.READER, "https://h.example", SECRET.encode() if secret else None)

    def test_an_account_of_the_role(self) -> None:
        headers = {ACCOUNT_HEADER: "mayor", SECRET_HEADER: SECRET}
        assert self.door().admit(headers) == MAYOR
        assert self.door(secret=False).admit({ACCOUNT_HEADER: "mayor"}) == MAYOR

    @pytest.mark.parametrize(
        "secret", [{}, {SECRET_HEADER: ""}, {SECRET_HEADER: SECRET[:-1] + "x"}, {SECRET_HEADER: "é"}]
    )
    def test_nobody_without_the_secret(self, secret: dict[str, str]) -> None:
        with pytest.raises(NotSignedOnError, match="secret is missing or wrong"):
            self.door().admit({ACCOUNT_HEADER: "mayor", **secret})

    @pytest.mark.parametrize("name", ["", "nobody", "Mayor", "mayor,zhao", "mayor,mayor", " mayor"])
    def test_no_account_that_is_not_listed_as_it_stands(self, name: str) -> None:
        with pytest.raises(NotSignedOnError):
            self.door().admit({ACCOUNT_HEADER: name, SECRET_HEADER: SECRET})

    def test_the_role_of_the_process_is_the_ceiling_whatever_a_request_says(self) -> None:
        headers = {ACCOUNT_HEADER: "zhao", SECRET_HEADER: SECRET, "X-Huanjie-Role": "reader"}
        with pytest.raises(NotSignedOnError) as caught:
            self.door().admit(headers)
        assert caught.value.line.startswith("本界面供“只读”的账号使用，您的账号属于“镇街”")


@pytest.mark.parametrize(
    "address",
    ["h.example", "ftp://h.example", "https://", "https://h.example/x", "https://a@h.example", "https://h?x"],
)
def test_an_address_that_browsers_cannot_use_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="访问地址不对"):
        checked_public(address)
