"""The pages of signing up, in and out, and of one's own account."""
