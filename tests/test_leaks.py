"""A person's name or number comes out nowhere but where a role may see it: no log, error, URL, table or file.

Every person of a small city is given a name of characters that stand in no word of the program and a number
of their own; more of them are put where they don't belong. Whatever the commands say and write is then
searched, down to the members of workbooks and the columns of Parquet files. That the search finds what is
there is shown first.
"""

from __future__ import annotations

import contextlib
import html
import io
import json
import logging
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pyarrow.parquet as pq
import pytest

from huanjie_lib import cli, matching
from huanjie_lib.access import masking
from huanjie_lib.access.grants import GRANTS
from huanjie_lib.access.id_numbers import check_character
from huanjie_lib.access.keys import KeyRing
from huanjie_lib.access.register_form import REGISTER_FORM
from huanjie_lib.sample import make_city, write_city
from huanjie_lib.store.decisions import Decision
from huanjie_lib.store.ledger import open_ledger
from huanjie_lib.store.manifest import file_digest
from huanjie_lib.vocabulary import Role
from tests.offices import CITY

AS_OF = "2026-10-31"
SEED = 20261031
RARE = "霁淙岫婵翀珩"
"""Characters of given names; they stand in no word of the program or the sample."""
_ESCAPED = re.compile(r"\\u([0-9a-f]{4})")
HEADINGS = [column.label for column in REGISTER_FORM.columns]


def name_of(serial: int) -> str:
    """Return a name of three characters, another for each serial below 5184."""
    surname, rest = "赵钱孙李周吴郑王冯陈褚卫"[serial % 12], serial // 12
    given = [RARE[rest // len(RARE) ** place % len(RARE)] for place in range(4)]
    return f"{surname}{given[0]}{given[1]}" if serial < 432 else f"{surname}{''.join(given)}"


def number_of(serial: int) -> str:
    """Return a number of a place that only samples know, born on a day of 1950 to 1990."""
    stem = f"990101{1950 + serial // 999 % 40}0307{serial % 999 + 1:03d}"
    return stem + check_character(stem)


@dataclass(frozen=True)
class Planted:
    """A folder with planted people, its key, and what may not come out."""

    folder: Path
    key: Path
    names: tuple[str, ...]
    numbers: tuple[str, ...]

    @property
    def masked(self) -> set[str]:
        """What roles that see masked names see."""
        return {masking.mask_name(name) for name in self.names}

    def found_in(self, texts: Iterator[tuple[str, str]] | Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return where a name or number stands, with it; parts of numbers that tell a person count too."""
        secrets = {*self.names, *self.numbers, *(number[6:] for number in self.numbers)}
        hits = []
        for where, raw in texts:
            text = _ESCAPED.sub(lambda code: chr(int(code[1], 16)), html.unescape(raw))
            if not any(character in text for character in RARE) and "0307" not in text:
                continue
            hits += [(where, secret) for secret in secrets if secret in text]
        return hits


def texts_of(path: Path) -> Iterator[tuple[str, str]]:
    """Yield everything that a file says, each with where; members of archives and columns are decoded."""
    content = path.read_bytes()
    yield f"{path.name}: name", str(path)
    yield from said_by(path.name, content)


def said_by(where: str, content: bytes) -> Iterator[tuple[str, str]]:
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.namelist():
                yield from said_by(f"{where}/{member}", archive.read(member))
    elif content[:4] == b"PAR1":
        frame = pd.read_parquet(io.BytesIO(content))
        for column in frame.columns:
            yield f"{where}#{column}", "\n".join([str(column), *frame[column].astype(object).map(str)])
    # The raw bytes too: metadata of a table, comments of an archive.
    for encoding in ("utf-8", "utf-16-le", "gb18030"):
        yield where, content.decode(encoding, errors="ignore")


def everything_in(*folders: Path) -> Iterator[tuple[str, str]]:
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                yield from texts_of(path)


def form(path: Path, names: Sequence[str], numbers: Sequence[str], unit: str) -> None:
    """Write a register form with good rows and rows in which names and numbers stand in wrong cells."""
    good: list[Any] = [
        "",
        "",
        None,
        None,
        unit,
        "个人自荐",
        "返乡人员",
        "大专",
        "群众",
        "已入库",
        "2026-05-01",
        "2026-09-01",
    ]
    rows = [[names[i], numbers[i], *good[2:]] for i in range(20)]
    for column in range(len(HEADINGS)):
        for value in (names[20 + column], numbers[20 + column]):
            spoilt = [names[40 + column], numbers[40 + column], *good[2:]]
            spoilt[column] = value
            rows.append(spoilt)
    rows.append([names[60], int(numbers[60][:17] + "0"), *good[2:]])  # a number in a number cell
    rows.append([names[61], numbers[61][:17] + "*", *good[2:]])
    rows.append([names[62], numbers[63], *good[2:]])  # one number, two names
    rows.append([names[63], numbers[63], *good[2:]])
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("人才库")
    for cells in (HEADINGS, *rows):
        sheet.append(cells)
    path.parent.mkdir(parents=True, exist_ok=True)
    book.save(path)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    folder, key = tmp_path_factory.mktemp("planted") / "data", tmp_path_factory.mktemp("key") / "key.json"
    city = make_city(seed=SEED, units=60, snapshots=1, people=150)
    write_city(city, folder, key=key)
    keys = KeyRing.read(key)
    place = folder / "tables" / "identities.parquet"
    held = pd.read_parquet(place)
    refs, serials = held["person_ref"], range(len(held))
    sealed = {
        "name_sealed": [keys.seal(name_of(i), "name", r) for i, r in zip(serials, refs, strict=True)],
        "id_sealed": [keys.seal(number_of(i), "id_number", r) for i, r in zip(serials, refs, strict=True)],
    }
    held.assign(**sealed).to_parquet(place, index=False)
    # Where names and numbers stand by mistake: in documents' names, and in cells that take a word or a code.
    more = [len(held) + i for i in range(300)]
    names, numbers = [name_of(i) for i in more], [number_of(i) for i in more]
    for table, column, values in (
        ("evidence", "document", [f"{n}考核表{i}.pdf" for n, i in zip(names[:9], numbers[:9], strict=True)]),
        (
            "vettings",
            "document",
            [f"{n}联审{i}.pdf" for n, i in zip(names[9:18], numbers[9:18], strict=True)],
        ),
        ("people", "channel", names[18:27]),
        ("people", "person_ref", numbers[27:36]),
        ("assessments", "rater_ref", names[36:45]),
        ("plans", "mentor_ref", names[45:54]),
        ("kinships", "other_ref", numbers[54:63]),
    ):
        place = folder / "tables" / f"{table}.parquet"
        frame = pd.read_parquet(place)
        rows = frame.index[-len(values) - 40 : -40]
        frame.loc[rows, column] = values[: len(rows)]
        frame.to_parquet(place, index=False)
    unit = str(city.tables["units"]["unit_code"].iloc[0])
    form(folder / "returns" / "示例镇" / "人才库登记表.xlsx", names[100:], numbers[100:], unit)
    return Planted(
        folder,
        key,
        (*(name_of(i) for i in serials), *names),
        (*(number_of(i) for i in serials), *numbers),
    )


@dataclass(frozen=True)
class Said:
    """What a command said, its exit code, and the log of a defect, where there was one."""

    code: int
    text: str

    def texts(self) -> list[tuple[str, str]]:
        return [("said", self.text)]


def say(*arguments: object) -> Said:
    """Run a command as the command line does; its words, log records and the log of a defect are kept."""
    heard, handler = io.StringIO(), logging.StreamHandler(logged := io.StringIO())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", folder)
        patch.setenv("HUANJIE_DEBUG", "1")
        try:
            with contextlib.redirect_stdout(heard), contextlib.redirect_stderr(heard):
                code = cli.main([str(a) for a in arguments])
        finally:
            root.removeHandler(handler)
            root.setLevel(level)
        logs = [path.read_text(encoding="utf-8") for path in Path(folder).glob("*.log")]
    return Said(code, "\n".join([heard.getvalue(), logged.getvalue(), *logs]))


@pytest.fixture(scope="module")
def matched(planted: Planted, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Said]:
    """The talent folder of the planted city, and what making it said."""
    out = tmp_path_factory.mktemp("matched") / "talent"
    with pytest.MonkeyPatch.context() as patch:  # its certificate scores a few people again and again
        patch.setattr(matching, "PROVED_PEOPLE", 60)
        patch.setattr(matching, "PROVED_UNITS", 6)
        said = say("match", "--data", planted.folder, "--as-of", AS_OF, "--out", out, "--key", planted.key)
    assert said.code == 0, said.text
    return out, said


def test_matching_tells_of_rows_in_quarantine_and_says_why_in_its_folder(
    matched: tuple[Path, Said],
) -> None:
    out, said = matched
    account = json.loads((out / "manifest.json").read_text(encoding="utf-8"))["intake"]
    assert account["read"] == account["loaded"] + account["quarantined"] + account["dropped"] > 0
    assert account["quarantined"] > 0
    assert f"{account['errors']} 处错误，问题行已隔离，详见 {out / 'intake' / 'report.csv'}" in said.text
    assert (out / "intake" / "report.csv").exists()
    assert list((out / "intake" / "quarantine").iterdir())


def test_every_column_of_a_talent_folder_has_readers(matched: tuple[Path, Said]) -> None:
    seen = set()
    for file in sorted(matched[0].rglob("*.parquet")):
        grant = GRANTS[f"{'talent' if file.parent == matched[0] else 'sealed'}/{file.stem}"]
        assert set(grant.columns) == set(pq.read_schema(file).names), grant.table
        seen.add(grant.table)
    assert seen == {name for name in GRANTS if name.startswith(("talent/", "sealed/"))}


# ---------------------------------------------------------------- the search itself


def test_the_search_finds_names_and_numbers_wherever_they_are_put(planted: Planted, tmp_path: Path) -> None:
    name, number = planted.names[3], planted.numbers[3]
    book = openpyxl.Workbook(write_only=True)
    book.create_sheet().append([f"推荐{name}"])
    book.save(tmp_path / "a.xlsx")
    pd.DataFrame({"x": [number]}).to_parquet(tmp_path / "b.parquet", compression="zstd")
    (tmp_path / "c.log").write_text(f"ValueError: {number}", encoding="utf-8")
    (tmp_path / "d.csv").write_bytes(f"姓名\n{name}".encode("gb18030"))
    (tmp_path / f"{name}.txt").write_text("", encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "e.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "a.xlsx", "inner.xlsx")
    found = {
        where.partition("/")[0].partition("#")[0] for where, _ in planted.found_in(everything_in(tmp_path))
    }
    assert found == {"a.xlsx", "b.parquet", "c.log", "d.csv", "e.zip", f"{name}.txt: name"}


def test_what_is_searched_for_lies_in_the_folder_that_is_read(planted: Planted) -> None:
    hits = planted.found_in(everything_in(planted.folder))
    places = {where.partition("#")[0].partition("/")[0] for where, _ in hits}
    assert {"人才库登记表.xlsx", "evidence.parquet", "vettings.parquet", "people.parquet"} <= places
    keys, held = KeyRing.read(planted.key), pd.read_parquet(planted.folder / "tables" / "identities.parquet")
    opened = {keys.unseal(held["name_sealed"][i], "name", held["person_ref"][i]) for i in range(len(held))}
    assert opened <= set(planted.names)


def test_masked_names_hide_what_is_searched_for(planted: Planted) -> None:
    masked = [("masked", masking.mask_name(name)) for name in planted.names]
    assert planted.found_in(masked) == []


# ---------------------------------------------------------------- commands


@pytest.mark.parametrize("keyed", [False, True])
def test_checking_says_and_writes_nobody(planted: Planted, tmp_path: Path, keyed: bool) -> None:
    key = ("--key", planted.key) if keyed else ()
    said = say("check", "--data", planted.folder, "--out", tmp_path, *key)
    assert said.code == 3, said.text  # rows are wrong on purpose
    assert "人才库登记表.xlsx" in said.text
    assert planted.found_in([*said.texts(), *everything_in(tmp_path)]) == []


def test_matching_says_and_writes_nobody(planted: Planted, matched: tuple[Path, Said]) -> None:
    folder, said = matched
    assert planted.found_in([*said.texts(), *everything_in(folder)]) == []
    keys = KeyRing.read(planted.key)
    people = set(pd.read_parquet(folder / "people.parquet")["person_ref"])
    on_the_form = [keys.pseudonym("person", number) for number in planted.numbers[-200:][:20]]
    assert set(on_the_form) <= people  # whoever was registered on the form was loaded


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.SYSTEM])
def test_the_roster_of_every_role_holds_nobody(
    planted: Planted, matched: tuple[Path, Said], tmp_path: Path, role: Role
) -> None:
    open_ledger(tmp_path / "store", create=True).close()
    out = tmp_path / "out"
    named = ("--key", planted.key, "--store", tmp_path / "store")
    said = say("roster", "--talent", matched[0], "--out", out, *named, "--role", role.value)
    whole = [*said.texts(), *everything_in(out)]
    assert planted.found_in(everything_in(tmp_path / "store")) == []
    assert planted.found_in(whole) == []
    shown = any(name in text for _, text in whole for name in planted.masked)
    allowed = role in masking.MASKED_ROLES
    assert (said.code, shown, whole != said.texts()) == ((0, True, True) if allowed else (2, False, False))


@pytest.mark.parametrize("named", [True, False])
def test_a_roster_is_not_written_without_a_log(
    planted: Planted, matched: tuple[Path, Said], tmp_path: Path, named: bool
) -> None:
    key = ("--key", planted.key) if named else ()
    said = say("roster", "--talent", matched[0], "--out", tmp_path / "out", *key)
    assert (said.code, "--store：发现“没有给出”" in said.text) == (2, True)
    assert not (tmp_path / "out").exists()


def test_the_roster_without_a_key_holds_nobody_and_is_logged(
    planted: Planted, matched: tuple[Path, Said], tmp_path: Path
) -> None:
    open_ledger(tmp_path / "store", create=True).close()
    out = tmp_path / "out"
    said = say("roster", "--talent", matched[0], "--out", out, "--store", tmp_path / "store")
    whole = [*said.texts(), *everything_in(out)]
    assert planted.found_in(whole) == []
    assert not any(name in text for _, text in whole for name in planted.masked)
    (file,) = out.iterdir()
    with open_ledger(tmp_path / "store", read_only=True) as ledger:
        entry = ledger.access_log().iloc[-1]
    assert (entry["subject"], entry["digest"]) == (file.name, file_digest(file))


def test_a_name_in_a_reason_goes_to_those_alone_who_decide(
    planted: Planted, matched: tuple[Path, Said], tmp_path: Path
) -> None:
    row = pd.read_parquet(matched[0] / "lists.parquet").iloc[0]
    body = {"decision_id": "d1", "talent_run": "ab" * 32, "choice": "reject", "departs": True, "expected": 0}
    where = {name: str(row[name]) for name in ("unit_code", "post", "person_ref")}
    told = Decision.from_json(json.dumps(body | where | {"reason": f"{planted.names[0]}更合适"}))
    with open_ledger(tmp_path / "store", create=True) as ledger:
        ledger.decide(told, CITY)
    arguments = ("roster", "--talent", matched[0], "--store", tmp_path / "store", "--role", "talent")
    said = say(*arguments, "--out", tmp_path / "out")
    assert said.code == 0, said.text
    found = {secret for _, secret in planted.found_in(everything_in(tmp_path / "out"))}
    assert found == {planted.names[0]}
    assert planted.found_in(said.texts()) == []


def test_the_ledger_holds_nobody_after_a_name_was_shown_and_a_copy_made(
    planted: Planted, tmp_path: Path
) -> None:
    store, data = tmp_path / "store", planted.folder
    open_ledger(store, create=True).close()
    held = pd.read_parquet(data / "tables" / "identities.parquet")
    keys, ref = KeyRing.read(planted.key), held["person_ref"].iloc[5]
    name = keys.unseal(held["name_sealed"].iloc[5], "name", ref)
    who = ("--store", store, "--account", "li", "--office", "市委组织部", "--role", "talent")
    about = ("--person", ref, "--data", data, "--key", planted.key)
    shown = say("access", "show", *about, *who, "--reason", f"通知{name}和{planted.names[0]}谈话")
    assert shown.code == 0, shown.text
    assert name in shown.text
    copied = say("request", "copy", *about, *who, "--reason", "本人申请查阅", "--out", tmp_path / "copy.xlsx")
    assert copied.code == 0, copied.text
    listed = say("access", "log", "--store", store)
    for said in (copied, listed):
        assert planted.found_in(said.texts()) == []
    known = {
        keys.unseal(text, "name", one)
        for one, text in zip(held["person_ref"], held["name_sealed"], strict=True)
    }
    whole = [*everything_in(store), *listed.texts()]
    assert ref in listed.text
    assert not [
        (where, secret) for where, text in whole for secret in known if len(secret) > 2 and secret in text
    ]


# ---------------------------------------------------------------- errors


def roster(planted: Planted, folder: Path, out: Path, key: Path | None = None) -> Said:
    store = out.with_name("store")
    if not store.exists():
        open_ledger(store, create=True).close()
    said = say("roster", "--talent", folder, "--out", out, "--key", key or planted.key, "--store", store)
    assert planted.found_in(said.texts()) == []
    assert list(out.rglob("*")) == []
    return said


def test_errors_over_keys_name_nobody(planted: Planted, matched: tuple[Path, Said], tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    KeyRing.create(tmp_path / "other.json")
    assert roster(planted, matched[0], out, tmp_path / "other.json").code == 3
    shutil.copy(planted.key, tmp_path / "open.json")
    (tmp_path / "open.json").chmod(0o644)
    if os.name == "posix":
        assert roster(planted, matched[0], out, tmp_path / "open.json").code == 2
    (tmp_path / "spoilt.json").write_text(f'{{"format": "{planted.names[0]}"}}', encoding="utf-8")
    (tmp_path / "spoilt.json").chmod(0o600)
    assert roster(planted, matched[0], out, tmp_path / "spoilt.json").code == 2


def test_broken_folders_name_nobody(planted: Planted, matched: tuple[Path, Said], tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    name, number = planted.names[1], planted.numbers[1]
    codes = []
    for place, content in (
        ("manifest.json", f'{{"format": "{name}"'.encode()),
        ("shortlists.parquet", f"PAR1{name}{number}".encode()),
        ("sealed/identities.parquet", f"{number}".encode()),
    ):
        folder = tmp_path / place.replace("/", "-")
        shutil.copytree(matched[0], folder)
        (folder / place).write_bytes(content)
        codes.append(roster(planted, folder, out).code)
    assert codes[0] == 3
    folder = tmp_path / "columns"
    shutil.copytree(matched[0], folder)
    sealed = pd.read_parquet(folder / "sealed" / "identities.parquet")
    sealed.rename(columns={"name_sealed": name}).to_parquet(folder / "sealed" / "identities.parquet")
    codes.append(roster(planted, folder, out).code)
    sealed.assign(name_sealed=name).to_parquet(folder / "sealed" / "identities.parquet")
    codes.append(roster(planted, folder, out).code)
    assert codes[-1] == 3
    assert 0 not in codes


def test_a_defect_with_a_name_in_hand_leaves_none_in_its_log(
    planted: Planted, matched: tuple[Path, Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = planted.numbers[0]

    def broken(name: str) -> str:
        try:
            return {number: ""}[name]
        except KeyError as error:
            raise ValueError(f"{name!r}, {name!a}, {name.encode()!r}, {number}") from error

    monkeypatch.setattr(masking, "mask_name", broken)
    out = tmp_path / "out"
    out.mkdir()
    said = roster(planted, matched[0], out)
    assert said.code == 70
    assert "程序内部错误" in said.text
    assert "KeyError: '…'" in said.text
    assert "ValueError: '…', '…', b'…', …" in said.text
    assert "in broken" in said.text
    assert repr(planted.names[0].encode())[2:-1] not in said.text


def test_matching_what_cannot_be_read_names_nobody(planted: Planted, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(planted.folder, folder)
    (folder / "tables" / "units.parquet").write_bytes("".join(planted.names).encode())
    said = say("match", "--data", folder, "--as-of", AS_OF, "--out", tmp_path / "out", "--key", planted.key)
    assert said.code != 0
    assert planted.found_in(said.texts()) == []
