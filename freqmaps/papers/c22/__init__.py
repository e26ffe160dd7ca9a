"""*How does frequency bias affect the robustness of neural image classifiers …?* (Chan, Ong and Tan, IJCAI 2022)."""

#: The title of the paper's chapter in the report, and the paper itself.
CHAPTER = "Does a network pushed to low frequencies withstand corruptions and attacks?"
CITATION = (
    "Chan, Ong and Tan, How does frequency bias affect the robustness of neural image classifiers "
    "against common corruption and adversarial perturbations? (IJCAI 2022)"
)
