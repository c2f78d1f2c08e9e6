"""Widgets, one for each kind of thing a person looks at."""
