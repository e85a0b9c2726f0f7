"""Binance-shaped streams: market data over websockets, by names such as `aaplusd@depth@100ms`."""
