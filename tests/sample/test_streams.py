from __future__ import annotations

import numpy as np

from huanjie_lib.sample.streams import TOPICS, Streams, steady


def test_topics_do_not_disturb_each_other() -> None:
    alone = Streams(7)["names"].random(5)
    both = Streams(7)
    both["outline"].random(1000)
    assert (both["names"].random(5) == alone).all()


def test_topics_and_seeds_differ() -> None:
    first = {topic: float(Streams(7)[topic].random()) for topic in TOPICS}
    assert len(set(first.values())) == len(TOPICS)
    assert first["names"] != float(Streams(8)["names"].random())


def test_steady_removes_the_last_bits() -> None:
    values = np.array([0.1 + 0.2, 1 / 3])
    assert (steady(values) == steady(np.nextafter(values, 1.0))).all()
