"""Adapters, one folder per engine. Each is a plugin: nothing here imports one by name."""
