"""The scenarios of the OpenAI adapter; their steps are in conftest.py beside this file."""

from pytest_bdd import scenarios

scenarios("openai_http")
