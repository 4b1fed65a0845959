"""Slow, obvious references for the Rust core: what is right is read here, not there."""
