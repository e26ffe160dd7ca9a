"""Items: one file per table or figure of a paper, each found by its file name (``B25_T1`` is ``B25-T1``)."""

from freqmaps.items._api import Column, Figure, Table
from freqmaps.items._nothing import NothingToShow, blank
from freqmaps.items._write import write_figure, write_table
from freqmaps.results import Inputs, Result

__all__ = ["Column", "Figure", "Inputs", "NothingToShow", "Result", "Table", "blank", "write_figure", "write_table"]
