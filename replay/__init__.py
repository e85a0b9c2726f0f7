"""Real data in: past prices become market data and the orders of two paper accounts, and a proof that nothing was lost."""
