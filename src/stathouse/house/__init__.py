"""Composition: the house wires doors, sources, delivery and backends together from a config."""
