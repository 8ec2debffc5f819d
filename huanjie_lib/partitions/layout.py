"""Contract tables by county: ``county=990101/tables/<table>.parquet``, zstd, units with their boundaries.

Each county is a data folder of its own, which ``huanjie run`` reads too. A unit whose code has passed to a
unit of another county lies in that one, with all its rows, since who answers for it lives there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
import pyarrow.parquet as pq

from huanjie_lib.contracts import DTYPES, TABLES, table
from huanjie_lib.errors import DataError, Fault
from huanjie_lib.risk.prepared import NEVER, prepare

if TYPE_CHECKING:
    import geopandas as gpd

__all__ = ["home_counties", "partitions", "read_partition", "table_files", "write_partitions"]

COUNTY: Final = 6
"""Leading digits of a unit code that tell the county."""


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
    """Lay tables out by county; every table is there in every county, with or without rows.

    Parameters
    ----------
    tables
        Contract tables of units of any number of counties. Rows of codes that are not listed are left out.
    root
        Folder; counties in it are written anew.
    areas
        ``unit_code`` and boundary, EPSG:4490: the list of units then is GeoParquet with boxes.

    Returns
    -------
    list of pathlib.Path
        The counties.
    """
    home = home_counties(tables["units"], tables.get("crosswalk"))
    counties = sorted(home.unique())
    grouped = {name: _by_county(name, frame, home) for name, frame in tables.items() if name in TABLES}
    for county in counties:
        folder = root / f"county={county}" / "tables"
        folder.mkdir(parents=True, exist_ok=True)
        for name, (frame, where) in grouped.items():
            rows = frame if where is None else frame[where.to_numpy() == county]
            if name == "units" and areas is not None:
                _write_areas(rows, areas, folder / "units.parquet")
            else:
                rows.to_parquet(folder / f"{name}.parquet", index=False, compression="zstd")
    return [root / f"county={county}" for county in counties]


def _by_county(
    name: str, frame: pd.DataFrame, home: pd.Series[Any]
) -> tuple[pd.DataFrame, pd.Series[Any] | None]:
    """Return the rows to be laid out and the county of each; ``None`` where every county gets all."""
    if name == "townships":
        return frame, frame["township_code"].str.slice(0, COUNTY)
    if "unit_code" not in frame:
        return frame, None
    return frame, frame["unit_code"].astype("str").map(home)


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
                shown = "、".join(str(value) for value in row)
                fault = Fault(f"{folder.name}：{name}", shown, "同一行在各文件中内容相同", "核对后只留一处")
                raise DataError(f"“{contract.label}”的几个文件互相矛盾", [fault])
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
        fault = Fault(path.name, str(error)[:120], "数据字典规定的类型", "重新写出")
        raise DataError(f"“{contract.label}”不能使用", [fault]) from error
    return typed
