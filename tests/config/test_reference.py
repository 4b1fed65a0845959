"""The reference page follows from the options."""

from __future__ import annotations

from pathlib import Path

from stathouse.config.fields import sections
from stathouse.config.reference import reference

_PAGE = Path(__file__).parents[2] / "docs" / "config.md"


def test_the_page_is_current() -> None:
    assert _PAGE.read_text() == reference(), "run: python -m stathouse.config.reference > docs/config.md"


def test_the_page_has_every_option_with_flag_and_variable() -> None:
    page = reference()
    for section in sections():
        assert section.header in page
        for option in section.options:
            assert option.shape == "tables" or option.description in page
            if option.outside:
                assert f"Flag `{option.flag}`, variable `{option.variable}`." in page
