"""Karantzas et al., *Understanding robustness and generalization of ANNs through Fourier masks*."""
