"""Learned operators between function spaces."""
