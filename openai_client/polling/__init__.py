"""
Waiting for work that the API does in its own time: a batch, a run, a vector store, a fine-tuning job, a video.

How work ends is data (`lifecycle`), what is asked when is a plan (`plan`), and the methods that resources have
(`client.batches.poll`) are plans with a name (`methods`, `run_methods`, `vector_store_methods`).

Spec: CLI-20
"""
