"""The typed client alone: a whole answer, and a stream, from the embedded upstream."""

import upstream_simulator
from openai_client import Client

with upstream_simulator.start() as upstream, Client(api_key=None, base_url=upstream.base_url) as client:
    messages = [{"role": "user", "content": "Why is the sky blue?"}]
    answer = client.chat.completions.create(model="demo", messages=messages, max_completion_tokens=8)
    print(answer.choices[0].message.content)
    with client.chat.completions.stream(model="demo", messages=messages, max_completion_tokens=8) as stream:
        for text in stream.text_deltas():
            print(text, end="", flush=True)
        print()
