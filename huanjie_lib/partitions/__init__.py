"""A province or the nation, county by county: nothing needs all of it in one memory."""

from huanjie_lib.partitions.layout import partitions, read_partition, write_partitions
from huanjie_lib.partitions.run import PartitionRun, run_partitions
from huanjie_lib.partitions.scoring import Survey, score_county, signals_of_city, survey

__all__ = [
    "PartitionRun",
    "Survey",
    "partitions",
    "read_partition",
    "run_partitions",
    "score_county",
    "signals_of_city",
    "survey",
    "write_partitions",
]
