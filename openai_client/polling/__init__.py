"""
Waiting for work that the API does in its own time: a batch, a run, a vector store, a fine-tuning job, a video.

What is asked next, how long the pauses are and which end is a good one is decided in a plan (`steps`, `lifecycle`,
`plan`), a generator that does nothing itself; `walking` takes its steps, blocking or on an event loop. The methods that
resources have (`client.batches.poll`) are plans with a name, in `methods`.

Spec: CLI-20
"""
