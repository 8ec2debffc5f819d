"""A province or the nation, county by county: nothing needs all of it in one memory."""

from huanjie_lib.partitions.layout import partitions, read_partition, write_partitions
from huanjie_lib.partitions.run import PartitionRun, ShortlistRun, run_partitions, run_shortlists
from huanjie_lib.partitions.scoring import Survey, score_county, signals_of_city, survey
from huanjie_lib.partitions.shortlists import CountyLists, list_county, trials_of_city
from huanjie_lib.partitions.spread import open_cluster

__all__ = [
    "CountyLists",
    "PartitionRun",
    "ShortlistRun",
    "Survey",
    "list_county",
    "open_cluster",
    "partitions",
    "read_partition",
    "run_partitions",
    "run_shortlists",
    "score_county",
    "signals_of_city",
    "survey",
    "trials_of_city",
    "write_partitions",
]
