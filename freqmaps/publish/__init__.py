"""Publishing: what an item returns, and how tables, figures, LaTeX and the report are written."""

from freqmaps.publish.api import Column, Figure, Table
from freqmaps.publish.nothing import NothingToShow, blank
from freqmaps.publish.write import write_figure, write_table
from freqmaps.results.reader import Inputs, Result

__all__ = ["Column", "Figure", "Inputs", "NothingToShow", "Result", "Table", "blank", "write_figure", "write_table"]
