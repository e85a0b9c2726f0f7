"""What clients that were written for other designs of an exchange expect, on a port of its own (docs/SEEDS.md)."""
