"""Ten minutes of streams and cancels: `python -m benchmarks.soak`."""
