"""What can go wrong between a program and the broker."""


class WireError(Exception):
    """Base of all errors of this package: one line that says what is wrong."""


class NotReachableError(WireError):
    """The broker does not answer, or the venue has no such topic."""


class DeliveryError(WireError):
    """Records were not acknowledged in time: they may or may not be in the log."""
