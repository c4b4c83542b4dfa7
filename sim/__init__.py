"""When it happens: cycle simulators, Numba kernels under Python shells."""
