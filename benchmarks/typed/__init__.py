"""The typed client beside the official SDK: what a chunk, a list, an answer costs once it is an object."""
