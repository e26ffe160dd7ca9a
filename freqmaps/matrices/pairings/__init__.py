"""Pairings: which map is compared with which, one per file. `matched` is the question, the others are controls."""
