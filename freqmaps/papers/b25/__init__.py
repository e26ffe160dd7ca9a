"""Basile et al., *Frequency maps reveal the correlation between adversarial attacks and implicit bias*."""

#: The title of the paper's chapter in the report, and the paper itself.
CHAPTER = "Do an image's essential frequencies and those of an attack on it go together?"
CITATION = "Basile et al., Frequency maps reveal the correlation between adversarial attacks and implicit bias"
