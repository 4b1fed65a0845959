"""Stathouse keeps the statistics of programs and of the builds that make them."""

__all__ = ["__version__"]

__version__ = "0.1.0"
