"""Moran's I against documented and independent answers.

St. Louis homicide rates 1988-93 and North Carolina SIDS rates 1974 are PySAL's documented examples (esda,
``Moran``: I, E[I] and p under normality; the North Carolina figures replicate OpenGeoda). Ten points of
de Smith, Goodchild & Longley, *Geospatial Analysis*, are PySAL's example of the local statistic.
"""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from libpysal.examples import get_path
from libpysal.graph import Graph, read_gal

from huanjie_lib.risk.clusters import ClusterKind, find_clusters, global_moran

DATA = Path(__file__).parent / "data"
ORACLE: dict[str, Any] = json.loads((DATA / "spatial_and_breaks.json").read_text(encoding="utf-8"))
CASES = {case["name"]: case for case in ORACLE["cases"]}
QUADRANTS = {
    1: ClusterKind.HIGH,
    2: ClusterKind.LOW_OUTLIER,
    3: ClusterKind.LOW,
    4: ClusterKind.HIGH_OUTLIER,
}
"""PySAL's numbers of the quadrants: HH, LH, LL, HL."""


def pairs_of(graph: Graph) -> pd.DataFrame:
    frame = graph.adjacency[graph.adjacency > 0].reset_index()
    return frame.rename(columns={"focal": "unit_code", "neighbor": "neighbour_code"})


def st_louis() -> tuple[pd.Series, Graph]:
    graph = read_gal(DATA / "stl.gal")
    rates = pd.read_csv(DATA / "stl_homicide_1979_1993.csv")["HR8893"]
    return rates.set_axis([str(n) for n in range(1, len(rates) + 1)]), graph


def north_carolina() -> tuple[pd.Series, Graph]:
    frame = pd.read_csv(DATA / "nc_sids_1974_1979.csv", dtype={"FIPSNO": str}).set_index("FIPSNO")
    return frame["SIDR74"], read_gal(DATA / "nc_sids.gal")


def de_smith() -> tuple[pd.Series, Graph]:
    z = CASES["local_moran_desmith"]["inputs"]["z"]
    graph = read_gal(get_path("desmith.gal"))
    return pd.Series(z, index=[str(i) for i in graph.unique_ids]), graph


def test_global_moran_of_st_louis_is_the_documented_one() -> None:
    values, graph = st_louis()
    case = CASES["moran_stl"]
    found = global_moran(values, pairs_of(graph))
    assert found.statistic == pytest.approx(case["expected"]["I"], abs=case["tolerance"])
    assert found.expected == pytest.approx(case["expected"]["EI"], abs=case["tolerance"])
    assert found.p_normal == pytest.approx(case["expected"]["p_norm_two_sided"], abs=case["tolerance"])


def test_global_moran_of_north_carolina_is_the_documented_one() -> None:
    values, graph = north_carolina()
    found = global_moran(values, pairs_of(graph))
    assert round(found.statistic, 3) == 0.248
    assert found.p_normal == pytest.approx(0.0001158330781489969, rel=1e-9)


def test_local_moran_of_de_smith_is_the_documented_one() -> None:
    values, graph = de_smith()
    case = CASES["local_moran_desmith"]
    found = find_clusters(values, pairs_of(graph), seed=1, permutations=999, fdr=0.999_999)
    np.testing.assert_allclose(
        found.units["local_i"][:5], case["expected"]["Is_first5"], atol=case["tolerance"]
    )
    # nearly everything counts as found at that level, so that the labels show the quadrants
    shown = found.units["q"] <= found.fdr
    wanted = [QUADRANTS[q].value for q in case["expected"]["quadrant"]]
    assert shown.sum() >= 8
    assert found.units["kind"][shown].tolist() == [w for w, s in zip(wanted, shown, strict=True) if s]


@pytest.mark.parametrize("example", [st_louis, north_carolina])
def test_esda_gives_the_same_statistics_and_as_its_alternative_says_the_same_p(example: Any) -> None:
    """esda's p is one-sided in the tail that suits; ours is twice that, within the error of the draws."""
    from esda.moran import Moran, Moran_Local

    values, graph = example()
    found = find_clusters(values, pairs_of(graph), seed=2, fdr=0.9)
    aligned = Graph.from_adjacency(graph.adjacency.reset_index()).transform("r")
    ordered = values.reindex([str(i) for i in aligned.unique_ids])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # esda announces the change of its alternative
        peer = Moran_Local(ordered, aligned, permutations=9999, keep_simulations=False, seed=3)
    whole = Moran(ordered, aligned, permutations=0)
    ours = found.units.loc[ordered.index]
    np.testing.assert_allclose(ours["local_i"], peer.Is, atol=1e-12)
    assert found.moran.p_random == pytest.approx(whole.p_rand, rel=1e-9)
    assert found.moran.p_normal == pytest.approx(whole.p_norm, rel=1e-9)
    doubled = np.minimum(1.0, 2.0 * peer.p_sim)
    error = 2 * np.sqrt(np.maximum(peer.p_sim * (1 - peer.p_sim), 1e-4) / 9999)
    # values that tie count as extreme here and on one side only there
    clear = values.loc[ordered.index].map(values.value_counts()) == 1
    assert (np.abs(ours["p"] - doubled)[clear] < 5 * error[clear] + 1e-3).mean() > 0.97
    found_kinds = ours["kind"][ours["kind"].isin([k.value for k in QUADRANTS.values()])]
    numbers = pd.Series(peer.q, index=ordered.index)[found_kinds.index]
    assert found_kinds.tolist() == [QUADRANTS[q].value for q in numbers]
    assert len(found_kinds) > 0
