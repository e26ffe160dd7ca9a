"""Karantzas et al., *Understanding robustness and generalization of ANNs through Fourier masks*."""

#: The title of the paper's chapter in the report, and the paper itself.
CHAPTER = "Which frequencies does a whole network need, and how does its training regime shift them?"
CITATION = (
    "Karantzas et al., Understanding robustness and generalization of artificial neural networks through Fourier masks"
)
