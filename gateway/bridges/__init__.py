"""Bridges between the venue and the topics of older designs of an exchange, whose clients need not know of it."""
