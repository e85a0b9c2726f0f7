"""Websockets: what waits to be sent to each, how many there may be, and those of the pages."""
