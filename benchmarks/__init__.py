"""Measurements to read, not tests: `python -m benchmarks.<name>`."""
