"""The report: one HTML file that holds the whole study and asks the network for nothing."""

from freqmaps.publish.report._items import ReportItem, read_item
from freqmaps.publish.report._page import build_report
from freqmaps.publish.report._summary import summary_lines
from freqmaps.publish.report._text import build_markdown

__all__ = ["ReportItem", "build_markdown", "build_report", "read_item", "summary_lines"]
