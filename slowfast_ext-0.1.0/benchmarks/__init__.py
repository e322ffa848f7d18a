"""Measurements; `python -m benchmarks` runs those of speed."""
