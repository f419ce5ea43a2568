"""The scenarios of the host; their steps are in conftest.py beside this file."""

from pytest_bdd import scenarios

scenarios("adapter_host")
