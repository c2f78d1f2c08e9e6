"""Import, export, settings, recovery and crash report."""
