"""Inverse problems."""
