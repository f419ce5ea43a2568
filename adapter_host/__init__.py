"""
The host: loads adapters as plugins, routes tasks to them by pool, and tells their story. Knows the contract only.

Spec: AH-1002, HST-08, HST-09
"""
