"""Intervals, resampling and verdicts that any paper may use; arrays and counts in, numbers out."""
