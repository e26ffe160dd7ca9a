"""*How does frequency bias affect the robustness of neural image classifiers …?* (Chan, Ong and Tan, IJCAI 2022)."""
