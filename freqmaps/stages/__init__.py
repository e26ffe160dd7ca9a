"""One record per stage, and where results lie."""
