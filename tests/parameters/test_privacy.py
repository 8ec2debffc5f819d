from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from huanjie_lib.contracts import TABLES
from huanjie_lib.errors import ParameterError
from huanjie_lib.parameters import load_privacy


class TestPrivacy:
    """How long data of people are kept: no figure of a run rests on it."""

    def test_the_shipped_terms_name_tables_of_people_and_say_what_they_rest_on(self) -> None:
        shipped = load_privacy()
        assert {term.table for term in shipped.terms} <= {t.name for t in TABLES.values() if t.personal}
        assert all(term.basis for term in shipped.terms)
        assert (shipped.log_months, shipped.assessment_months) == (6, 36)

    def test_a_pack_without_terms_has_the_shipped_ones(self, tmp_path: Path) -> None:
        assert load_privacy(tmp_path) == load_privacy()

    def test_every_fault_of_a_term_is_told(self, pack: Callable[..., Path]) -> None:
        def spoil(data: dict[str, Any]) -> None:
            term = data["terms"][0]
            data["terms"] += [
                {**term, "id": "a", "table": "units"},
                {**term, "id": "b", "since": "birth_year"},
                {**term, "id": "c", "status": "gone"},
                {**term, "id": "d", "table": "reviews", "since": "expires_on", "otherwise": "", "status": ""},
                {**term, "id": "a", "table": "leads"},
            ]

        with pytest.raises(ParameterError) as caught:
            load_privacy(pack(privacy=spoil))
        told = [fault.where for fault in caught.value.faults]
        assert told == [
            "privacy.yaml：terms，a：table",
            "privacy.yaml：terms，b：since",
            "privacy.yaml：terms，c：status",
            "privacy.yaml：terms，d：whole_person",
            "privacy.yaml：terms，a：table",
            "privacy.yaml：terms",
        ]

    @pytest.mark.parametrize(("key", "least"), [("log_months", 6), ("assessment_months", 36)])
    def test_what_the_law_asks_for_cannot_be_shortened(
        self, pack: Callable[..., Path], key: str, least: int
    ) -> None:
        with pytest.raises(ParameterError, match=key):
            load_privacy(pack(privacy=lambda data: data.update({key: least - 1})))
