"""Queue and runners."""
