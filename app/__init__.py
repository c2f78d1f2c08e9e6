"""The workbench: what a person sees and does."""
