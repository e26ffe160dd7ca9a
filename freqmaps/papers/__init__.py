"""The papers, each in a folder of its own: its tables and figures, and its published values."""
