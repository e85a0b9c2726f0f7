"""For tests of trading bots: a venue of their own in the test's process, with a clock that the test moves (docs/SIM.md).

`plugin` has the pytest fixtures, `venue.Venue` is what they give, `settings.VenueSettings` what it may be like.
"""
