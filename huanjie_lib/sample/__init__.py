"""The synthetic city: a plainly fictional prefecture for demonstrations and tests.

Everything is drawn from one seed; no clock, no file and no outside data are read. :func:`make_city` builds
the tables, :func:`write_city` lays them out as a data folder.
"""

from huanjie_lib.sample.city import City, make_city
from huanjie_lib.sample.write import write_city

__all__ = ["City", "make_city", "write_city"]
