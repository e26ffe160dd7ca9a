"""Yin et al., *A Fourier perspective on model robustness in computer vision*, NeurIPS 2019: the Fourier heat map."""

#: The title of the paper's chapter in the report, and the paper itself.
CHAPTER = "To noise of which frequencies is a network sensitive?"
CITATION = "Yin et al., A Fourier perspective on model robustness in computer vision (NeurIPS 2019)"
