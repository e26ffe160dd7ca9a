"""Regularisers of training: one file each; see docs/add-a-regulariser.md."""
