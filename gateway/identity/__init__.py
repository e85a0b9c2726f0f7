"""Who may do what here: users, their sessions, API keys and roles, and the log of what concerns safety."""
