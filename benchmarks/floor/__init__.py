"""The limit of receiving, and how near the listener comes to it."""
