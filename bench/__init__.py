"""Measurements, run by `make bench`; docs/BENCHMARKS.md has figures and what they mean. Not installed."""
