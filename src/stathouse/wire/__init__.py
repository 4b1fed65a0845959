"""Bytes to model and back, without sockets."""
