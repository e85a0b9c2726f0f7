"""Adapters that drive other Python matching engines with the benchmark's flows, each in an environment of its own."""
