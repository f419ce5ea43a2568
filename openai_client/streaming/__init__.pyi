# Written by scripts/public_names.py from the table in __init__.py; do not edit.

from openai_client.streaming.accumulator import Accumulator as Accumulator
from openai_client.streaming.beta_responses import BetaResponseAccumulator as BetaResponseAccumulator
from openai_client.streaming.chat import ChatAccumulator as ChatAccumulator
from openai_client.streaming.completions import CompletionAccumulator as CompletionAccumulator
from openai_client.streaming.images import ImageAccumulator as ImageAccumulator
from openai_client.streaming.responses import ResponseAccumulator as ResponseAccumulator
from openai_client.streaming.runs import RunAccumulator as RunAccumulator
from openai_client.streaming.runs import RunTranscript as RunTranscript
from openai_client.streaming.speech import SpeechAccumulator as SpeechAccumulator
from openai_client.streaming.transcription import TranscriptionAccumulator as TranscriptionAccumulator
