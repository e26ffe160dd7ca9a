"""Matrices: the maps of the samples that two map stores share, pooled and flattened, one row per sample."""

from freqmaps.matrices._dataset import concatenate, matrix_dataset, pooled
from freqmaps.matrices._join import join
from freqmaps.matrices._pool import pool
from freqmaps.matrices.settings import MatrixSettings

__all__ = ["MatrixSettings", "concatenate", "join", "matrix_dataset", "pool", "pooled"]
