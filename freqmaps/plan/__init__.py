"""What a study will take, before anything is submitted: jobs, GPU-hours, CPU-hours, bytes. Answers without torch."""

from freqmaps.plan.estimate import Plan, plan
from freqmaps.plan.show import csv_text, json_text, text

DECIDES_NUMBERS = False

__all__ = ["Plan", "csv_text", "json_text", "plan", "text"]
