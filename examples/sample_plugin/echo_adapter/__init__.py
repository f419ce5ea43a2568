"""A worker adapter that says what it was told."""
