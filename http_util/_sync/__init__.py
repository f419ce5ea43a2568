# Written by scripts/unasync.py from http_util/_async/__init__.py; do not edit.
"""The part of the room that waits. The blocking copy beside it is made by `scripts/unasync.py`."""
