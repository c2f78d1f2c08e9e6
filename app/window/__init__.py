"""Main window, docks and home page."""
