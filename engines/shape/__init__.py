"""Surfaces from slices, photos and points."""
