"""The engines of the co-simulation, by name, for both of its sides."""

from dovetail.tests.rtl.simulation import small_engine

ENGINES = {
    # A row of results fills two beats.
    "mixpe": small_engine(rows=3, cols=4, max_group=4, port_bits=32),
    # Two rows of results share a beat.
    "int8": small_engine(core="int8", rows=2, cols=1, max_group=4, port_bits=64),
}
