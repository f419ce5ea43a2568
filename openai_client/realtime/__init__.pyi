# Written by scripts/public_names.py from the table in __init__.py; do not edit.

from openai_client.realtime.connection import AsyncConnection as AsyncConnection
from openai_client.realtime.connection import AsyncRealtimeConnection as AsyncRealtimeConnection
from openai_client.realtime.connection import AsyncTranslationConnection as AsyncTranslationConnection
from openai_client.realtime.connection import Connection as Connection
from openai_client.realtime.connection import RealtimeConnection as RealtimeConnection
from openai_client.realtime.connection import TranslationConnection as TranslationConnection
from openai_client.realtime.opening import SessionLimits as SessionLimits
