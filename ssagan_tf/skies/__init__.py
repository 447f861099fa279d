"""Procedural skies: clips drawn from random numbers, which need no footage."""
