"""
Work that takes several calls, as plans: generators that say what is to be done next, and do nothing themselves.

`steps` is what they are made of, `walking` takes their steps in either colour, `descriptor` makes methods of them.

Spec: CLI-20
"""
