"""The Kafka shell that everyone shares: packets out, records in. What they mean is `exchange`'s business."""
