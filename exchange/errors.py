"""Errors of the edge. What the market refuses is an event with a reason (`messages.RejectReason`), not an error."""


class ExchangeError(Exception):
    """Base of every error that bad outside input can raise."""


class InvalidAmount(ExchangeError):
    """A decimal that is not a whole number of ticks, lots or minor units, or out of range."""


class InvalidInstrument(ExchangeError):
    """An instrument whose tick, lot and scales do not fit together."""


class InvalidPacket(ExchangeError):
    """A record that is not a packet: malformed, of a wrong type, out of range, or under a wrong key."""
