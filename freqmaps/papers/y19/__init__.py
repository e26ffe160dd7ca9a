"""Yin et al., *A Fourier perspective on model robustness in computer vision*, NeurIPS 2019: the Fourier heat map."""
