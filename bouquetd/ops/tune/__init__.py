"""``bouquetd tune``: what this machine can do, what would fit it, and how that is written down.

``measure`` finds the facts, ``policy`` makes a proposal of them, ``apply`` writes it.
"""
