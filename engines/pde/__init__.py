"""Fields of partial differential equations."""
