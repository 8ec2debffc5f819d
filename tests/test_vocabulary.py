import itertools

import pytest

from huanjie_lib import vocabulary
from huanjie_lib.vocabulary import AuditItem, Education, Level, PoliticalAffiliation, Sex, UnitKind, Word

WORDS = [
    w for w in vars(vocabulary).values() if isinstance(w, type) and issubclass(w, Word) and w is not Word
]


@pytest.mark.parametrize("words", WORDS, ids=lambda w: w.__name__)
def test_no_two_members_share_a_spelling(words: type[Word]) -> None:
    spellings = [s for m in words for s in {m.value, m.label, *m.aliases}]
    assert len(spellings) == len(set(spellings))
    for member in words:
        assert words.from_text(f" {member.label} ") is member


def test_national_codes() -> None:
    assert Sex.from_text("女") == "2"
    assert Education.from_text("专科") == "31"
    assert PoliticalAffiliation.from_text("党员") == "01"
    assert [a.value for a in PoliticalAffiliation] == [f"{n:02d}" for n in range(1, 14)]


def test_checklists_of_the_work_plan() -> None:
    village, community = AuditItem.required(UnitKind.VILLAGE), AuditItem.required(UnitKind.COMMUNITY)
    assert (len(village), len(community)) == (5, 3)
    assert not set(village) & set(community)


def lightness(colour: str) -> float:
    """CIE L* of an sRGB colour (IEC 61966-2-1, CIE 1976)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    y = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return 116 * y ** (1 / 3) - 16 if y > 0.008856 else 903.3 * y


def test_colours_stay_apart_in_greyscale_print() -> None:
    assessed = [lightness(level.colour) for level in (Level.RED, Level.GREEN, Level.YELLOW)]
    assert all(b - a > 15 for a, b in itertools.pairwise(assessed))
    assert len({level.mark for level in Level}) == len(Level)
    assert sorted(level.code for level in Level) == [0, 1, 2, 3]
