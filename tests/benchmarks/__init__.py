"""Benchmarks, each run as `python -m dovetail.tests.benchmarks.<name>`; pytest collects none."""
