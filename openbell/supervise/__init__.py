"""Keeps a folder's services running, whatever they are, and leaves no process behind."""
