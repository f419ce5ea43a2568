"""Many embeddings in few requests, as arrays: the embedded upstream and the typed client."""

import upstream_simulator
from openai_client import Client


def main() -> None:
    """Embed two hundred lines, and show how far it is."""
    lines = [f"Line {number} of a long text." for number in range(200)]
    with (
        upstream_simulator.start() as upstream,
        Client(base_url=upstream.base_url, api_key=None) as client,
    ):
        made = client.embeddings.create_many(
            lines,
            model="demo",
            dimensions=8,
            max_batch_size=64,
            on_batch=lambda done, of: print(f"{done} of {of} embedded"),
        )
        vectors = made.all_vectors()
        print(f"{len(vectors)} vectors of {len(vectors[0])} numbers in {made.requests} requests")


main()
