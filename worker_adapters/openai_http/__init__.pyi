# Written by scripts/public_names.py from the table in __init__.py; do not edit.

from worker_adapters.openai_http.adapter import OpenAIHttpAdapter as OpenAIHttpAdapter
from worker_adapters.openai_http.config import OpenAIHttpConfig as OpenAIHttpConfig
