"""The checks of ``stathouse doctor``: each module looks at one thing and yields what it found."""

from stathouse.cli.doctor.finding import Finding, Level

__all__ = ["Finding", "Level"]
