"""The commands of `openbell`, one a module."""
