"""Alerts on the page and by REST: their forms, how they are read and checked, and where they are kept."""
