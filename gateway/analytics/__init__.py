"""What is computed of markets: how the projector keeps it, and how it is read and shown."""
