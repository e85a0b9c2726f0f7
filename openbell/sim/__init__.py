"""`openbell sim`: puts a whole venue together in one process, and serves it."""
