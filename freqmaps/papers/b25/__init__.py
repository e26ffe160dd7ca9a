"""Basile et al., *Frequency maps reveal the correlation between adversarial attacks and implicit bias*."""
