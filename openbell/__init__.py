"""The command line and the local servers of Openbell."""

__version__ = "0.5.0"
