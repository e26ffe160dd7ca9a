"""Training regimes: one file each; see docs/add-a-regime.md."""
