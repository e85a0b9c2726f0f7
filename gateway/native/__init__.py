"""Openbell's own REST API, `/api/native/`."""
