"""Objectives of the map optimisation, one per file."""
