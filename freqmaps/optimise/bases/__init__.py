"""Bases: the coefficients of an image that a map multiplies, one per file."""
