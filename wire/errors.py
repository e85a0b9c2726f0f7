"""What can go wrong between a program and the broker."""


class WireError(Exception):
    """Base of all errors of this package: one line that says what is wrong."""


class NotReachableError(WireError):
    """The broker does not answer, or what is asked of it is not there."""


class NoTopicError(NotReachableError):
    """The broker answers, and has no such topic: waiting does not help."""


class DeliveryError(WireError):
    """Records were not acknowledged in time: they may or may not be in the log."""
