"""Provenance of results: keys, digests of code, manifests, locks. Nothing here refers to a stage by name."""
