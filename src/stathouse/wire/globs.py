"""Globs over names and tags: ``*``, ``?``, ``[a-z]`` and ``[!a-z]``, the same in Python and in SQLite."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from stathouse.wire.tags import from_text

__all__ = ["TagMatcher", "is_glob", "to_regex", "to_sqlite"]


def is_glob(pattern: str) -> bool:
    """Tell whether a pattern can match more than itself."""
    return any(character in pattern for character in "*?[")


@lru_cache(maxsize=256)
def to_regex(pattern: str) -> re.Pattern[str]:
    """Return the pattern as a compiled regular expression for ``fullmatch``. It cannot backtrack badly.

    >>> bool(to_regex("shop.[!x]*").fullmatch("shop.orders"))
    True
    """
    parts: list[str] = []
    for token in _tokens(pattern):
        if token == "*":
            parts.append(".*")
        elif token == "?":
            parts.append(".")
        elif len(token) > 1:
            parts.append(_class_regex(token))
        else:
            parts.append(re.escape(token))
    # A run before the last star is matched once, at its first place: a possessive step that keeps time linear.
    pieces = "".join(parts).split(".*")
    if len(pieces) > 2:
        middle = "".join(f"(?>.*?{piece})" for piece in pieces[1:-1])
        return re.compile(f"{pieces[0]}{middle}.*{pieces[-1]}", re.DOTALL)
    return re.compile("".join(parts), re.DOTALL)


def to_sqlite(pattern: str) -> str:
    """Return the pattern for SQLite's GLOB.

    >>> to_sqlite("a[!b]*[")
    'a[^b]*[[]'
    """
    parts: list[str] = []
    for token in _tokens(pattern):
        if token == "[":
            parts.append("[[]")
        elif len(token) > 1:
            parts.append("[^" + token[2:] if token[1] == "!" else token)
        else:
            parts.append(token)
    return "".join(parts)


class TagMatcher:
    """Tells whether a series' tags match: key → glob; a series without the key does not match."""

    def __init__(self, wanted: Mapping[str, str]) -> None:
        self._wanted = {key: to_regex(pattern) for key, pattern in wanted.items()}

    def __call__(self, tags_text: str) -> bool:
        """Match a canonical tags text."""
        if not self._wanted:
            return True
        tags = dict(from_text(tags_text))
        return all(key in tags and regex.fullmatch(tags[key]) for key, regex in self._wanted.items())


def _tokens(pattern: str) -> list[str]:
    """Split into ``*``, ``?``, whole classes and single characters; a ``[`` without its ``]`` stands for itself."""
    tokens: list[str] = []
    index = 0
    while index < len(pattern):
        character = pattern[index]
        if character == "[":
            body = index + 2 if pattern[index + 1 : index + 2] in ("!", "^") else index + 1
            end = pattern.find("]", body + 1)
            if end > 0:
                negated = "!" if body == index + 2 else ""
                tokens.append(f"[{negated}{pattern[body:end]}]")
                index = end + 1
                continue
        if character != "*" or not tokens or tokens[-1] != "*":
            tokens.append(character)
        index += 1
    return tokens


def _class_regex(token: str) -> str:
    """Return ``[...]`` as a regular expression; a range the wrong way round matches nothing."""
    negated = token[1] == "!"
    body = token[2:-1] if negated else token[1:-1]
    parts: list[str] = []
    index = 0
    while index < len(body):
        if body[index + 1 : index + 2] == "-" and index + 2 < len(body):
            first, last = body[index], body[index + 2]
            if first <= last:
                parts.append(f"{re.escape(first)}-{re.escape(last)}")
            index += 3
        else:
            parts.append(re.escape(body[index]))
            index += 1
    if not parts:
        return "." if negated else "(?!)"
    return f"[{'^' if negated else ''}{''.join(parts)}]"
