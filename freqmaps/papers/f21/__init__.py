"""*A frequency domain analysis of gradient-based adversarial examples* (under review at ICLR 2021)."""
