"""Which designs: axes, runner, result store, Pareto front, certificates."""
