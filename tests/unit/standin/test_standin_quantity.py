"""Quantities: every row was taken from apimachinery's own `resource.Quantity`."""

import pytest

from standin.quantity import canonical

ROWS = """
1000m 1|0.1 100m|1024Mi 1Gi|1Gi 1Gi|1.5Gi 1536Mi|1500M 1500M|1000 1k|1000M 1G|0.5Gi 512Mi|1e3 1e3|1e4 10e3
100m 100m|250m 250m|0 0|0.5 500m|1.5 1500m|1.500 1.500|12345 12345|64Mi 64Mi|1025Mi 1025Mi|512Mi 512Mi|8 8
10.0 10|0.0001 100u|1Ki 1Ki|512Ki 512Ki|1048576Ki 1Gi|2.5Gi 2560Mi|100k 100k|1000k 1M|+5 +5|-1000m -1
3000000000 3G|abc abc|5Mi 5Mi|008 008|.5 500m|1E 1E|1Ei 1Ei|0Gi 0|1000n 1u|0.1Ki 102400m|12e6 12e6|1E3 1E3
"""


@pytest.mark.parametrize(
    ("given", "stored"), [row.split(" ") for line in ROWS.split("\n") if line for row in line.split("|")]
)
def test_a_quantity_is_spelt_as_the_server_stores_it(given, stored):
    assert canonical(given) == stored
    assert canonical(stored) == stored
