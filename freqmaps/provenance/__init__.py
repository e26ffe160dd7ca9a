"""What makes a result trustworthy: keys, digests of code, manifests, locks. It knows no stage by name."""
