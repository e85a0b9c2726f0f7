"""The whole venue in one process: the same machines, projection, views and application, with a log and a Redis in memory."""
