"""The part of the room that waits. The blocking copy beside it is made by `scripts/unasync.py`."""
