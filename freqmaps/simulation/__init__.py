"""Simulations: what can be drawn and computed without any dataset or network, kept as keyed results.

A component of this folder is a module with ``compute(*, seed, ...)``. It returns rows, plain mappings that all have the
same keys, ``measure``, ``value``, ``n``, ``low`` and ``high`` among them, as evaluations do.
"""
