"""How the log becomes views in Redis; `gateway.projector` runs it."""
