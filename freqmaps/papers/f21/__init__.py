"""*A frequency domain analysis of gradient-based adversarial examples* (under review at ICLR 2021)."""

#: The title of the paper's chapter in the report, and the paper itself.
CHAPTER = "Which frequencies do gradient-based perturbations have, along training, and does a low-pass filter defend?"
CITATION = "A frequency domain analysis of gradient-based adversarial examples (under review at ICLR 2021)"
