"""A data feed for TradingView's charts, by its Universal Data Feed protocol. `docs/UDF.md` says what is served."""
