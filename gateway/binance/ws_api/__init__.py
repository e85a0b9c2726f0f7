"""The Binance-shaped websocket API: requests with answers, orders among them, and an account's own events."""
