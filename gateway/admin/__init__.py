"""The pages of those who run a venue: users, keys and the audit log for administrators, the market for operators."""
