"""Chan et al., *How does frequency bias affect the robustness of neural image classifiers …?*, IJCAI 2022 (JaFR)."""
