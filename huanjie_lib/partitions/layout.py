"""Contract tables by county: ``county=990101/tables/<table>.parquet``, zstd, units with their boundaries.

Each county is a data folder of its own, which ``huanjie run`` reads too. A unit whose code has passed to a
unit of another county lies in that one, with all its rows, since who answers for it lives there.

People lie, with all rows about them, in the county of their home unit, and whoever is at home in no unit in
every county, since posts of every county may look at them. Kin of two people lie where either does. Names,
numbers and protected attributes (:data:`NEVER_LAID_OUT`) are not laid out at all: no score and no shortlist
reads them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.parquet as pq

from huanjie_lib.contracts import DTYPES, TABLES, table
from huanjie_lib.errors import DataError, Fault, UsageError
from huanjie_lib.risk.prepared import NEVER, prepare

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = [
    "NEVER_LAID_OUT",
    "home_counties",
    "partitions",
    "read_partition",
    "read_together",
    "table_files",
    "write_partitions",
]

COUNTY: Final = 6
"""Leading digits of a unit code that tell the county."""
NEVER_LAID_OUT: Final = ("identities", "people_protected")
"""Tables that stay with the organisation office's own data folder."""
_NOBODY: Final = pd.DataFrame({"person_ref": [], "unit_code": []}, dtype="str")


def partitions(root: Path) -> list[Path]:
    """Return the counties of a partitioned folder, in the order of their codes.

    Raises
    ------
    DataError
        If there is none.
    """
    found = sorted(path for path in root.glob("county=*") if path.is_dir())
    if not found:
        fault = Fault(str(root), "没有 county=… 文件夹", "按县区存放的数据", "参照 docs/scale.md 存放")
        raise DataError("数据没有按县区存放", [fault])
    return found


def home_counties(units: pd.DataFrame, crosswalk: pd.DataFrame | None) -> pd.Series[Any]:
    """Return by unit code the county that its rows lie in: that of the unit that answers for it in the end.

    Examples
    --------
    >>> units = pd.DataFrame({"unit_code": ["990101001201", "990102001201"]})
    >>> crosswalk = pd.DataFrame({"old_code": ["990101001201"], "new_code": ["990102001201"],
    ...     "kind": ["merge"], "effective_on": pd.to_datetime(["2026-01-01"]), "confirmed_by": ["a"],
    ...     "confirmed_on": pd.to_datetime(["2026-01-01"])})
    >>> home_counties(units, crosswalk).tolist()
    ['990102', '990102']
    """
    tables = {"units": units[["unit_code"]]}
    prepared = prepare(tables if crosswalk is None else {**tables, "crosswalk": crosswalk})
    codes = prepared.units["unit_code"].astype("str")
    heirs = codes.iloc[prepared.heirs(int(NEVER))].str.slice(0, COUNTY).to_numpy()
    return pd.Series(heirs, index=pd.Index(codes, name="unit_code"))


def write_partitions(
    tables: Mapping[str, pd.DataFrame], root: Path, *, areas: gpd.GeoDataFrame | None = None
) -> list[Path]:
    """Lay tables out by county; every table laid out is there in every county, with or without rows.

    Parameters
    ----------
    tables
        Contract tables of units of any number of counties. Rows of codes that are not listed are left out,
        and so are rows about people who are not in ``people``.
    root
        Folder; it may hold other counties.
    areas
        ``unit_code`` and boundary, EPSG:4490: the list of units then is GeoParquet with boxes.

    Returns
    -------
    list of pathlib.Path
        The counties.

    Raises
    ------
    UsageError
        If a county is there already: nothing is written over, and no file of an earlier time left among new
        ones.
    """
    places = _Places(tables)
    there = [root / f"county={county}" for county in places.counties]
    if faults := [
        Fault(str(folder), "已有这个县区", "还没有的县区", "换一个文件夹，或先移走这个县区")
        for folder in there
        if folder.exists()
    ]:
        raise UsageError("没有按县区存放", faults)
    for county in places.counties:
        folder = root / f"county={county}" / "tables"
        folder.mkdir(parents=True, exist_ok=True)
        for name, frame in tables.items():
            if name not in TABLES or name in NEVER_LAID_OUT:
                continue
            rows = frame[places.here(name, frame, county)]
            if name == "units" and areas is not None:
                _write_areas(rows, areas, folder / "units.parquet")
            else:
                rows.to_parquet(folder / f"{name}.parquet", index=False, compression="zstd")
    return there


class _Places:
    """Which rows lie in which county."""

    def __init__(self, tables: Mapping[str, pd.DataFrame]) -> None:
        self.home = home_counties(tables["units"], tables.get("crosswalk"))
        self.counties = sorted(self.home.unique())
        people, members = tables.get("people", _NOBODY), tables.get("audit_subjects", _NOBODY)
        codes = people["unit_code"].astype("str")
        own, listed = codes.str.slice(0, COUNTY), codes.isin(self.home.index)
        anywhere, sits = codes.isna(), members["unit_code"].astype("str").map(self.home)
        self.lives: dict[str, pd.Index[str]] = {}
        self.known: dict[str, pd.Index[str]] = {}
        for county, rows in self.home.groupby(self.home):
            # a unit taken over lies with its heir, and people are looked for within its own county
            near = listed & own.isin(rows.index.str.slice(0, COUNTY))
            lives = pd.Index(people.loc[anywhere | near, "person_ref"].astype("str"))
            self.lives[str(county)] = lives
            self.known[str(county)] = lives.union(members.loc[sits == county, "person_ref"].astype("str"))

    def here(self, name: str, frame: pd.DataFrame, county: str) -> npt.NDArray[np.bool_]:
        """Return which rows of a table lie in a county."""
        if name == "kinships":
            known = self.known[county]
            return (frame["person_ref"].isin(known) | frame["other_ref"].isin(known)).to_numpy()
        if name == "people" or ("person_ref" in frame and "unit_code" not in frame):
            return frame["person_ref"].isin(self.lives[county]).to_numpy()
        if name == "townships":
            return (frame["township_code"].str.slice(0, COUNTY) == county).to_numpy()
        if "unit_code" not in frame:
            return np.ones(len(frame), dtype=np.bool_)
        return (frame["unit_code"].astype("str").map(self.home) == county).to_numpy()


def _write_areas(units: pd.DataFrame, areas: gpd.GeoDataFrame, path: Path) -> None:
    import geopandas as gpd

    plain = pd.DataFrame(units.drop(columns="geometry", errors="ignore"))
    whole = gpd.GeoDataFrame(plain.merge(areas[["unit_code", "geometry"]], how="left"), crs=areas.crs)
    whole.to_parquet(path, index=False, compression="zstd", write_covering_bbox=True)


def table_files(folder: Path, name: str) -> list[Path]:
    """Return the files of a table of a county: ``facts.parquet``, ``facts.events.parquet`` and so on."""
    return sorted((folder / "tables").glob(f"{name}.*parquet"))


def read_partition(folder: Path, only: Collection[str] | None = None) -> dict[str, pd.DataFrame]:
    """Read the tables of a county, without boundaries.

    Rows that two files of a table have alike count once.

    Parameters
    ----------
    folder
        The county.
    only
        Names of the tables wanted; all when omitted.

    Raises
    ------
    DataError
        If a column is missing or has another type, or two files differ on one key.
    """
    found = {}
    for name, contract in TABLES.items():
        paths = table_files(folder, name) if only is None or name in only else []
        parts = [_typed(name, path) for path in paths]
        if not parts:
            continue
        frame = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
        if len(parts) > 1:
            columns = [c.name for c in contract.columns if c.kind != "geometry"]
            frame = frame.drop_duplicates(columns, ignore_index=True)
            twice = frame.duplicated(list(contract.key))
            if twice.any():
                row = frame.loc[twice, list(contract.key)].iloc[0]
                shown = f"{twice.sum()}行" if contract.personal else "、".join(map(str, row))
                fault = Fault(f"{folder.name}：{name}", shown, "同一行在各文件中内容相同", "核对后只留一处")
                raise DataError(f"“{contract.label}”的几个文件互相矛盾", [fault])
        found[name] = frame
    return found


def read_together(counties: Iterable[Path], only: Collection[str]) -> dict[str, pd.DataFrame]:
    """Read tables of several counties as one; rows that lie in several of them count once.

    Parameters
    ----------
    counties
        The counties.
    only
        Names of the tables wanted.

    Returns
    -------
    dict of pandas.DataFrame
        Rows of tables that several counties may share are in the order of their keys, the others in the order
        of the counties.
    """
    parts: dict[str, list[pd.DataFrame]] = {}
    for folder in counties:
        for name, frame in read_partition(folder, only).items():
            parts.setdefault(name, []).append(frame)
    found = {}
    for name, frames in parts.items():
        frame = pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]
        if name == "people" or "unit_code" not in frame:
            frame = frame.drop_duplicates().sort_values(
                list(TABLES[name].key), kind="stable", ignore_index=True
            )
        found[name] = frame
    return found


def _typed(name: str, path: Path) -> pd.DataFrame:
    contract = table(name)
    there = set(pq.read_schema(path).names)
    columns = [c for c in contract.all_columns if c.kind != "geometry" and c.name in there]
    lacking = [c for c in contract.columns if c.required and c.name not in there]
    if lacking:
        faults = [Fault(f"{path.name}：{c.name}", "没有这一列", c.label, "重新写出") for c in lacking]
        raise DataError(f"“{contract.label}”不能使用", faults)
    frame = pq.ParquetFile(path).read(columns=[c.name for c in columns]).to_pandas(ignore_metadata=True)
    try:
        typed: pd.DataFrame = frame.astype({c.name: DTYPES[c.kind] for c in columns})
    except (TypeError, ValueError) as error:
        found = "类型不对的值" if contract.personal else str(error)[:120]
        fault = Fault(path.name, found, "数据字典规定的类型", "重新写出")
        raise DataError(f"“{contract.label}”不能使用", [fault]) from (None if contract.personal else error)
    return typed
