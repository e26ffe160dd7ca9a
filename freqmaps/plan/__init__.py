"""Estimates of a study's cost before it is submitted: jobs, GPU-hours, CPU-hours, bytes. It imports no torch."""

from freqmaps.plan.estimate import Plan, plan
from freqmaps.plan.show import csv_text, json_text, text

DECIDES_NUMBERS = False

__all__ = ["Plan", "csv_text", "json_text", "plan", "text"]
