"""Items: one file per table or figure of a paper, each found by its file name (``B25_T1`` is ``B25-T1``)."""
