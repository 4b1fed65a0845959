"""Tags as one canonical text: ``k=v,k2=v2``, sorted by key, the same bytes for the same tags.

A backslash stands before ``,``, ``=`` and ``\\`` inside a key or value. A tag without a value is ``k=``.
The Rust core writes the same text (``rust/src/tags.rs``).
"""

from __future__ import annotations

from collections.abc import Iterable

from stathouse.model import Tags

__all__ = ["canonical", "from_text", "to_text"]

_ESCAPES = str.maketrans({"\\": "\\\\", ",": "\\,", "=": "\\="})


def canonical(pairs: Iterable[tuple[str, str]]) -> Tags:
    """Return tags sorted by the UTF-8 bytes of their key; a repeated key keeps its last value.

    >>> canonical([("b", "1"), ("a", "2"), ("b", "3")])
    (('a', '2'), ('b', '3'))
    """
    return tuple(sorted(dict(pairs).items(), key=lambda pair: pair[0].encode()))


def to_text(tags: Tags) -> str:
    r"""Return the canonical text of canonical tags.

    >>> to_text((("path", "a=b"), ("shop", "eu")))
    'path=a\\=b,shop=eu'
    """
    return ",".join(f"{key.translate(_ESCAPES)}={value.translate(_ESCAPES)}" for key, value in tags)


def from_text(text: str) -> Tags:
    r"""Return the tags of a canonical text.

    >>> from_text("path=a\\=b,shop=eu")
    (('path', 'a=b'), ('shop', 'eu'))
    """
    if not text:
        return ()
    pairs: list[tuple[str, str]] = []
    key: str | None = None
    part: list[str] = []
    characters = iter(text)
    for character in characters:
        if character == "\\":
            part.append(next(characters, ""))
        elif character == "=" and key is None:
            key, part = "".join(part), []
        elif character == ",":
            pairs.append((key or "", "".join(part)))
            key, part = None, []
        else:
            part.append(character)
    pairs.append((key or "", "".join(part)))
    return tuple(pairs)
