"""Tells people of alerts outside the page: by e-mail and by webhook, each event at most once by each of them."""
