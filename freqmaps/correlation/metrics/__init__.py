"""Correlation metrics, one per file; `docs/add-a-metric.md` says how to add one."""
