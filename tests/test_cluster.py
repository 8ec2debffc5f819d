"""A cluster that is not there is told, and no password with it. A real one: tests/events/test_engines.py."""

from __future__ import annotations

import sys

import pytest

from huanjie_lib.cluster import is_spark, spark_session
from huanjie_lib.errors import UsageError


def test_without_pyspark_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark.errors", None)
    url = "spark://office:secret@10.0.0.1:7077"
    with pytest.raises(UsageError, match="没有安装 PySpark") as error, spark_session(url):
        pass
    assert "secret" not in str(error.value)
    assert "docs/scale.md" in str(error.value)


@pytest.mark.parametrize("url", ["spark://h:7077", "local[2]", "local-cluster[2,1,640]", "yarn", "k8s://h"])
def test_masters_are_known_by_their_address(url: str) -> None:
    assert is_spark(url)
    assert not is_spark(f"x{url}")
