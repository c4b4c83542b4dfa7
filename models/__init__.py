"""What must be computed: reference operators, quantisers, networks, traces.  NumPy, bit-exact."""
