"""The audit log: what is written down of whoever does what concerns safety, and how it gets into Kafka."""
