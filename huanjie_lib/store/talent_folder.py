"""The folder of one talent run: what ``huanjie match`` writes, for the organisation office's process alone.

People stand in it under pseudonyms only; names and ID numbers lie sealed in ``sealed/identities.parquet``. It
is never part of a run folder that leaders' screens read. All tables are Parquet and hold no clock time, so
that equal inputs give equal bytes.

``units``
    unit_code, unit_name, unit_kind, township_code, township_name.
``people``
    person_ref, unit_code, channel, source, birth_year, education, affiliation, status, registered_on,
    updated_on, stale, stale_days. Age and education are shown to people and enter no score.
``quota``, ``structure``
    unit_code, reserve, wanted, gap; kind, value, label, people.
``eligibility``, ``eligible``
    person_ref, post, rule, version, source, status, reason, checked_on, expires_on of every rule that refuses
    a person or cannot be judged; person_ref, post, status.
``portraits``, ``evidence``, ``tasks``
    person_ref, aspect, low, mean, high, known; person_ref, aspect, kind, year, rating, dated_on, document of
    what they rest on; what to verify first and how much narrower that makes it.
``trials``, ``raters``, ``races``
    quasi-post assessment: results of people, severity of raters, bands of those who were assessed together.
``cultivation``, ``standing``
    steps planned, running and proposed; which step would change a person's rank for which post.
``posts``, ``weights``
    unit_code, post, seats, profile, eligible, wanted, listed, lacking; unit_code, post, aspect, weight, tilt.
``shortlists``
    unit_code, post, rank, person_ref, fit, fit_low, fit_high, p_top, reasons, counter_reasons.
``lists``
    unit_code, post, person_ref, fit: the city-wide lists, each person on a few of them at most.
``teams``, ``team_checks``, ``team_costs``
    committees that meet the targets of structure; what each target asked, found and costs.
``certificate``, ``proxies``, ``impact``
    proof that protected attributes change nothing, how well they can be guessed, and rates by group.
``parameters.json``, ``manifest.json``
    the resolved parameters and the digests of inputs and outputs.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from huanjie_lib.parameters import ParameterSet
from huanjie_lib.store.manifest import (
    MANIFEST,
    PARAMETERS,
    about_run,
    file_digest,
    read_whole,
    write_manifest,
    write_parameters,
    write_tables,
)

__all__ = ["TALENT_FORMAT", "TALENT_TABLES", "TalentRun", "read_talent", "write_talent"]

TALENT_FORMAT = "huanjie-talent/2"
TALENT_TABLES: tuple[str, ...] = (
    "units",
    "people",
    "quota",
    "structure",
    "eligibility",
    "eligible",
    "portraits",
    "evidence",
    "tasks",
    "trials",
    "raters",
    "races",
    "cultivation",
    "standing",
    "posts",
    "weights",
    "shortlists",
    "lists",
    "teams",
    "team_checks",
    "team_costs",
    "certificate",
    "proxies",
    "impact",
)
IDENTITIES = Path("sealed") / "identities.parquet"
_REMEDY = "先运行 huanjie match，或检查 --talent 后面的路径"


@dataclass(frozen=True)
class TalentRun:
    """One talent run: its tables in memory, or a folder that they are read from when asked for.

    Parameters
    ----------
    as_of
        Date the run describes.
    parameters
        Resolved parameters.
    frames
        Tables in memory by name; empty when read from a folder.
    manifest
        Digests of inputs and outputs, versions and counts; empty before the run is written.
    path
        Folder the run was read from.
    """

    as_of: dt.date
    parameters: ParameterSet
    frames: Mapping[str, pd.DataFrame]
    manifest: Mapping[str, Any]
    path: Path | None = None

    def __repr__(self) -> str:
        """Return the as-of date and the parameter version."""
        return f"TalentRun(as_of={self.as_of}, parameters={self.parameters.version!r})"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the manifest, for a part that of the whole; empty for a run not read from a folder."""
        if self.path is None:
            return ""
        part: Mapping[str, Any] = self.manifest.get("part") or {}
        return str(part.get("talent_sha256") or file_digest(self.path / MANIFEST))

    @property
    def is_part(self) -> bool:
        """Whether the folder holds the part of an area alone."""
        return bool((self.manifest.get("part") or {}).get("scope"))

    def table(self, name: str, **equal: str | Collection[str]) -> pd.DataFrame:
        """Return a table, or those of its rows where each named column has the value, or one of several.

        A screen asks for the rows of one post or one person and so never holds the whole.

        Raises
        ------
        KeyError
            If there is no such table or column.

        Examples
        --------
        >>> from huanjie_lib.parameters import load_parameters
        >>> quota = pd.DataFrame({"unit_code": ["a", "b"], "gap": [1, 0]})
        >>> run = TalentRun(dt.date(2026, 10, 31), load_parameters(), {"quota": quota}, {})
        >>> run.table("quota", unit_code="b")["gap"].tolist()
        [0]
        """
        if name in self.frames or self.path is None:
            frame = self.frames[name]
            for column, value in equal.items():
                frame = frame[frame[column].isin([value] if isinstance(value, str) else list(value))]
            return frame.reset_index(drop=True)
        if name not in TALENT_TABLES:
            raise KeyError(name)
        filters = [
            (column, "==", value) if isinstance(value, str) else (column, "in", list(value))
            for column, value in equal.items()
        ] or None
        return pd.read_parquet(self.path / f"{name}.parquet", filters=filters)

    def concerns(self, person_ref: str, covers: Callable[[str], bool]) -> bool:
        """Tell whether a person is at home in an area, or on a list or committee for a post in it.

        Parameters
        ----------
        person_ref
            Pseudonym; a person the run does not know concerns no area.
        covers
            Whether a unit lies in the area, by its code.
        """
        people = self.table("people", person_ref=person_ref)
        if people.empty:
            return False
        home = people["unit_code"].iloc[0]
        if pd.notna(home) and covers(str(home)):
            return True
        return any(
            covers(str(code))
            for name in ("shortlists", "lists", "teams")
            for code in self.table(name, person_ref=person_ref)["unit_code"]
        )

    def people(self) -> frozenset[str]:
        """Return the pseudonyms of everybody in the run."""
        return frozenset(self.table("people")["person_ref"])

    def people_of(self, scope: tuple[str, ...]) -> frozenset[str]:
        """Return all whom an area concerns (see :meth:`concerns`), by the beginnings of its unit codes."""
        found: set[str] = set()
        for name in ("people", "shortlists", "lists", "teams"):
            frame = self.table(name)
            found |= set(frame.loc[frame["unit_code"].fillna("").str.startswith(scope), "person_ref"])
        return frozenset(found)

    def identities(self) -> pd.DataFrame:
        """Read the sealed names and ID numbers: person_ref, name_sealed, id_sealed; empty where none are."""
        if self.path is None or not (self.path / IDENTITIES).exists():
            return pd.DataFrame({"person_ref": [], "name_sealed": [], "id_sealed": []}, dtype="str")
        return pd.read_parquet(self.path / IDENTITIES)


def write_talent(
    run: TalentRun,
    out: Path,
    *,
    identities: pd.DataFrame | None,
    inputs: list[dict[str, Any]],
    code_version: str,
    risk_run: Mapping[str, Any] | None,
    intake: Mapping[str, int] | None = None,
    proven: Mapping[str, Any] | None = None,
    part: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write a talent folder and return its manifest; files of an earlier one in it are replaced.

    Parameters
    ----------
    run
        The run, its tables in memory; its manifest is ignored.
    out
        Folder to write into.
    identities
        person_ref, name_sealed and id_sealed, or ``None`` where the register holds none.
    inputs
        One entry per input file: path relative to the data folder, sha256, bytes.
    code_version
        Version of the package.
    risk_run
        as_of and manifest_sha256 of the risk run whose losses tilt the posts, or ``None``.
    intake
        How many rows were read, loaded, quarantined and dropped, and how many faults they had, from
        :meth:`huanjie_lib.intake.Intake.account`; ``None`` where nothing was read for the folder.
    proven
        How good lists and committees are for certain, from :meth:`huanjie_lib.matching.TalentResult.proven`.
    part
        What :mod:`huanjie_lib.store.talent_cut` tells of a part that was cut out for an account.
    """
    out.mkdir(parents=True, exist_ok=True)
    (out / MANIFEST).unlink(missing_ok=True)
    frames = {Path(f"{name}.parquet"): run.frames[name] for name in TALENT_TABLES}
    (out / IDENTITIES).unlink(missing_ok=True)
    if identities is not None:
        frames[IDENTITIES] = identities
    outputs = write_tables(out, frames) | write_parameters(out, run.parameters)
    manifest = {
        "format": TALENT_FORMAT,
        **about_run(run.parameters, as_of=run.as_of, code_version=code_version),
        "inputs": inputs,
        "risk_run": None if risk_run is None else dict(risk_run),
        "intake": dict(intake or {}),
        "proven": dict(proven or {}),
        "counts": {name: len(run.frames[name]) for name in ("units", "people", "posts", "lists", "teams")},
        "outputs": outputs,
        **({} if part is None else {"part": dict(part)}),
    }
    write_manifest(out, manifest)
    return manifest


def read_talent(path: Path) -> TalentRun:
    """Open a talent folder; its tables are read when they are asked for.

    Raises
    ------
    DataError
        If the folder does not hold a complete talent run of this format.
    """
    manifest = read_whole(
        path,
        TALENT_TABLES,
        kind="人才文件夹",
        form=TALENT_FORMAT,
        command="huanjie match",
        remedy=_REMEDY,
    )
    return TalentRun(
        as_of=dt.date.fromisoformat(manifest["as_of"]),
        parameters=ParameterSet.from_json((path / PARAMETERS).read_text(encoding="utf-8")),
        frames={},
        manifest=manifest,
        path=path,
    )
