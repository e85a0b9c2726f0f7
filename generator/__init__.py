"""Synthetic order flow: seeded, so that the same seed gives the same messages."""
