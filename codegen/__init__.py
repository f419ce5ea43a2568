"""
From the pinned API description to `openai_client/_generated`: read, correct, parse, plan, render, write or compare.
"""
