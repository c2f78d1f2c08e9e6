"""Training methods and diagnostics."""
