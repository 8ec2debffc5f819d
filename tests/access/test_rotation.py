"""Under new keys every pseudonym and sealed field of a folder is new, and nothing else has changed."""

from __future__ import annotations

import zipfile
from pathlib import Path

import openpyxl
import polars as pl
import pytest

from huanjie_lib.access.keys import KeyRing
from huanjie_lib.access.rotation import Rotation, rotate_tree
from huanjie_lib.errors import DataError

OLD = KeyRing(bytes(range(32)), bytes(range(64)))
NUMBERS = ("990101199003072336", "990101198501010013")
PEOPLE = [OLD.pseudonym("person", number) for number in NUMBERS]
NAMES = ("person_ref", "name_sealed", "id_sealed")
RATER = OLD.pseudonym("rater", "7")


@pytest.fixture
def rotation() -> Rotation:
    return Rotation(OLD, OLD.rotated())


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with people in each kind of file."""
    folder = tmp_path / "data"
    (folder / "tables").mkdir(parents=True)
    (folder / "returns" / "云溪镇").mkdir(parents=True)
    identities(PEOPLE).write_parquet(folder / "tables" / "identities.parquet")
    pl.DataFrame(
        {
            "person_ref": PEOPLE,
            "rater_ref": [RATER, None],
            "group_ref": ["G990101001-000", "G1"],
            "score": [1.5, None],
        }
    ).write_parquet(folder / "tables" / "assessments.parquet")
    pl.DataFrame({"unit_code": ["990101101201"], "value": [3]}).write_parquet(
        folder / "tables" / "facts.parquet"
    )
    text = (
        f'人员代号,亲属代号,说明\r\n{PEOPLE[0]},"{PEOPLE[1]}", 见 {PEOPLE[0]}x \r\np160c93e1f0,,"甲,乙"\r\n'
    )
    (folder / "returns" / "云溪镇" / "kin.csv").write_bytes(text.encode("gb18030"))
    (folder / "returns" / "云溪镇" / "utf8.csv").write_bytes(b"\xef\xbb\xbf" + PEOPLE[1].encode() + b",1\n")
    book = openpyxl.Workbook()
    book.active.append(["人员代号", "说明"])
    book.active.append([PEOPLE[0], f"与{PEOPLE[0]}同村"])
    book.active["B2"].font = openpyxl.styles.Font(bold=True)
    book.save(folder / "returns" / "云溪镇" / "报送表.xlsx")
    (folder / "sources.yaml").write_text("{}\n", encoding="utf-8")
    return folder


def kin(people: list[str]) -> str:
    """Return a table in which the last column tells of a pseudonym within a longer text."""
    rows = f'{people[0]},"{people[1]}", 见 {PEOPLE[0]}x \r\np160c93e1f0,,"甲,乙"\r\n'
    return f"人员代号,亲属代号,说明\r\n{rows}"


def identities(refs: list[str]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "person_ref": refs,
            "name_sealed": [OLD.seal(f"某{ref[-1]}", "name", ref) for ref in refs],
            "id_sealed": [
                OLD.seal(number, "id_number", ref) for number, ref in zip(NUMBERS, refs, strict=True)
            ],
        }
    )


def test_each_kind_of_file_has_new_pseudonyms_and_is_otherwise_as_it_was(
    data: Path, tmp_path: Path, rotation: Rotation
) -> None:
    before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    out, new = tmp_path / "out", rotation.new
    assert rotate_tree(data, out, rotation) == 5
    assert {path: path.read_bytes() for path in before} == before
    assert len(rotation.refs) == 3
    assert rotation.sealed == 2
    people = [new.pseudonym("person", number) for number in NUMBERS]

    sealed = pl.read_parquet(out / "tables" / "identities.parquet")
    assert sealed["person_ref"].to_list() == people
    for ref, number, row in zip(people, NUMBERS, sealed.iter_rows(named=True), strict=True):
        assert new.unseal(row["id_sealed"], "id_number", ref) == number
        assert new.unseal(row["name_sealed"], "name", ref).startswith("某")
    rated = pl.read_parquet(out / "tables" / "assessments.parquet")
    assert rated["rater_ref"].to_list() == [new.pseudonym("rater", "7"), None]
    same = ["group_ref", "score"]
    assert rated.select(same).equals(pl.read_parquet(data / "tables" / "assessments.parquet").select(same))

    for name in ("tables/facts.parquet", "sources.yaml"):
        assert (out / name).read_bytes() == (data / name).read_bytes()
    town = out / "returns" / "云溪镇"
    assert (town / "kin.csv").read_bytes().decode("gb18030") == kin(people)
    assert (town / "utf8.csv").read_bytes() == b"\xef\xbb\xbf" + people[1].encode() + b",1\n"
    book = openpyxl.load_workbook(town / "报送表.xlsx").active
    assert [book["A2"].value, book["B2"].value] == [people[0], f"与{PEOPLE[0]}同村"]  # whole cells alone
    assert book["B2"].font.bold
    with zipfile.ZipFile(town / "报送表.xlsx") as archive:
        assert archive.testzip() is None


@pytest.mark.parametrize(
    "heads", [("person_ref", "name_sealed", "id_sealed"), ("人员代号", "姓名密文", "证件号密文")]
)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
def test_identities_in_a_csv_file_are_sealed_anew_too(
    tmp_path: Path, rotation: Rotation, heads: tuple[str, ...], encoding: str
) -> None:
    (tmp_path / "data").mkdir()
    frame = identities(PEOPLE).rename(dict(zip(NAMES, heads, strict=True)))
    (tmp_path / "data" / "identities.csv").write_bytes(frame.write_csv().encode(encoding))
    rotate_tree(tmp_path / "data", tmp_path / "out", rotation)
    made = pl.read_csv(tmp_path / "out" / "identities.csv", infer_schema=False)
    assert made.columns == list(heads)
    ref, name, number = made.row(0)
    assert ref == rotation.new.pseudonym("person", NUMBERS[0])
    assert rotation.new.unseal(number, "id_number", ref) == NUMBERS[0]
    assert rotation.new.unseal(name, "name", ref).startswith("某")


def refused(data: Path, out: Path, rotation: Rotation, told: str) -> None:
    with pytest.raises(DataError, match=told) as caught:
        rotate_tree(data, out, rotation)
    assert not any(number in str(caught.value) for number in NUMBERS)


def test_a_row_that_was_moved_altered_or_sealed_by_others_stops_it(
    data: Path, tmp_path: Path, rotation: Rotation
) -> None:
    file = data / "tables" / "identities.parquet"
    for number, (frame, told) in enumerate(
        [
            (identities(PEOPLE).with_columns(pl.col("name_sealed").reverse()), "打不开的密文"),
            (identities([PEOPLE[0], RATER]), "第 2 行.*代号与证件号不符"),
        ]
    ):
        frame.write_parquet(file)
        refused(data, tmp_path / f"out{number}", rotation, told)
    identities(PEOPLE).write_parquet(file)
    other = KeyRing.from_seed(1)
    refused(data, tmp_path / "out", Rotation(other, other.rotated()), "打不开的密文")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("old.xls", b"\xd0\xcf\x11\xe0" + PEOPLE[0].encode("utf-16-le")),
        ("notes.txt", f"见 {PEOPLE[0]}".encode()),
        ("wide.csv", PEOPLE[0].encode("utf-16")),
        ("broken.xlsx", PEOPLE[0].encode()),
    ],
)
def test_a_file_in_which_a_pseudonym_cannot_be_changed_stops_it(
    data: Path, tmp_path: Path, rotation: Rotation, name: str, content: bytes
) -> None:
    (data / "returns" / name).write_bytes(
        content.replace(PEOPLE[0].encode(), b"").replace(PEOPLE[0].encode("utf-16-le"), b"")
    )
    rotate_tree(data, tmp_path / "fine", rotation)  # without one it is carried over
    (data / "returns" / name).write_bytes(content)
    refused(data, tmp_path / "out", rotation, f"returns/{name}")
