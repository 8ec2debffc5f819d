"""What a folder of event streams declares about itself in ``events.yaml``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final, Self

import numpy as np
import numpy.typing as npt
import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from huanjie_lib.contracts import EVENT_STREAMS
from huanjie_lib.errors import DataError, Fault
from huanjie_lib.parameters import pydantic_fault
from huanjie_lib.vocabulary import HotlineKind

__all__ = ["SETTINGS", "Area", "EventSettings", "month_number", "month_text", "read_settings"]

SETTINGS: Final = "events.yaml"
_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")


def month_number(text: str) -> int:
    """Return months since year 0 of a month written YYYY-MM.

    Raises
    ------
    ValueError
        If it is not written so.

    Examples
    --------
    >>> month_number("2026-10"), month_text(month_number("2026-10"))
    (24321, '2026-10')
    """
    found = _MONTH.fullmatch(text)
    if found is None:
        raise ValueError("月份应写作 2026-10")
    return int(found[1]) * 12 + int(found[2]) - 1


def month_text(number: int) -> str:
    """Return a month number as YYYY-MM."""
    return f"{number // 12:04d}-{number % 12 + 1:02d}"


def _month(text: str) -> str:
    month_number(text)
    return text


Month = Annotated[str, AfterValidator(_month)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Area(_Model):
    """A stretch of whole months for which a stream is complete in an area.

    Parameters
    ----------
    area
        Leading digits of the unit codes; empty for all. The longest that fits a unit counts for it.
    first, last
        First and last month, YYYY-MM.
    """

    area: Annotated[str, Field(pattern=r"^\d{0,12}$")] = ""
    first: Month
    last: Month

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if month_number(self.last) < month_number(self.first):
            raise ValueError("last 不得早于 first")
        return self


class EventSettings(_Model):
    """Declaration of a folder of event streams.

    Parameters
    ----------
    engine
        Where the streams are aggregated: see :func:`huanjie_lib.events.engines.open_engine`.
    utc_offset
        Hours that the wall clock is ahead of UTC; China has one clock and no summer time.
    coverage
        By stream, the areas and months for which it is complete: there, and only there, silence means zero.
    hotline_counted
        Kinds of work orders that count as petitions unless they were handed over as one. It must be said
        where there is a hotline stream.
    """

    engine: str = "duckdb://"
    utc_offset: Annotated[int, Field(ge=-12, le=14)] = 8
    coverage: dict[str, list[Area]]
    hotline_counted: list[str] | None = None

    @model_validator(mode="after")
    def _known(self) -> Self:
        if not self.coverage:
            raise ValueError("至少声明一类事件的完整期限")
        for stream in self.coverage:
            if stream not in EVENT_STREAMS:
                raise ValueError(f"没有事件流 {stream}，应为 {'、'.join(EVENT_STREAMS)}")
        unknown = set(self.hotline_counted or ()) - set(HotlineKind.labels())
        if unknown:
            raise ValueError(
                f"没有工单类别 {'、'.join(sorted(unknown))}，应为 {'、'.join(HotlineKind.labels())}"
            )
        if "hotline_events" in self.coverage and self.hotline_counted is None:
            raise ValueError("有热线工单时须用 hotline_counted 写明哪些类别计入信访件次，可以是空表 []")
        return self

    @property
    def months(self) -> tuple[int, int]:
        """First and last month declared for any stream and area, as month numbers."""
        areas = [area for found in self.coverage.values() for area in found]
        return min(month_number(a.first) for a in areas), max(month_number(a.last) for a in areas)

    def covered(
        self, stream: str, codes: npt.NDArray[Any]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return first and last covered month of each unit code; where there is none, 0 and −1.

        Examples
        --------
        >>> areas = [Area(first="2026-01", last="2026-10"), Area(area="99", first="2026-01", last="2026-08")]
        >>> settings = EventSettings(coverage={"lead_events": areas})
        >>> _, last = settings.covered("lead_events", np.array(["990101001201", "110101001001"]))
        >>> [month_text(month) for month in last]
        ['2026-08', '2026-10']
        """
        first, last = np.zeros(len(codes), dtype=np.int64), np.full(len(codes), -1, dtype=np.int64)
        text = np.asarray(codes, dtype=np.str_)
        for area in sorted(self.coverage.get(stream, ()), key=lambda found: len(found.area)):
            inside = np.strings.startswith(text, area.area)
            first[inside], last[inside] = month_number(area.first), month_number(area.last)
        return first, last


def read_settings(folder: Path) -> EventSettings:
    """Read ``events.yaml`` of a folder.

    Raises
    ------
    DataError
        If it is not there or cannot be used.
    """
    path = folder / SETTINGS
    try:
        content = yaml.safe_load(path.read_bytes())
    except FileNotFoundError:
        fault = Fault(str(path), "没有这个文件", "声明各类事件完整期限的 YAML", "参照 docs/scale.md 书写")
        raise DataError("事件文件夹没有声明", [fault]) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        fault = Fault(str(path), " ".join(str(error).split())[:120], "UTF-8 编码的 YAML", "改正该处的书写")
        raise DataError("事件文件夹的声明不能使用", [fault]) from error
    try:
        return EventSettings.model_validate(content if isinstance(content, Mapping) else {})
    except ValidationError as error:
        raise DataError("事件文件夹的声明不能使用", [_fault(detail) for detail in error.errors()]) from error


def _fault(detail: Any) -> Fault:
    fault = pydantic_fault(SETTINGS, detail)
    if detail["type"] != "value_error":
        return fault
    return replace(fault, allowed=str(detail["ctx"]["error"]))
