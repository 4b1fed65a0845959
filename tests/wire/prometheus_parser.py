"""A strict parser of Prometheus text 0.0.4, written from its description and not from our encoder."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

__all__ = ["Family", "parse"]

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_SAMPLE = re.compile(rf"({_NAME})(?:\{{(.*)\}})? (\S+)")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)')
_UNESCAPED = {'\\"': '"', "\\\\": "\\", "\\n": "\n"}


@dataclass
class Family:
    """One metric."""

    kind: str
    help: str
    samples: dict[tuple[tuple[str, str], ...], float] = field(default_factory=dict)


def parse(text: str) -> dict[str, Family]:
    """Return the metrics; anything out of order is an error."""
    assert text == "" or text.endswith("\n")
    families: dict[str, Family] = {}
    helps: dict[str, str] = {}
    current = ""
    for line in text.split("\n")[:-1]:
        if line.startswith("# HELP "):
            name, _, meaning = line[7:].partition(" ")
            assert name not in helps, f"{name} has two helps"
            helps[name] = meaning
        elif line.startswith("# TYPE "):
            current, kind = line[7:].split(" ")
            assert current not in families, f"{current} has two types"
            assert kind in ("counter", "gauge", "untyped", "histogram", "summary")
            families[current] = Family(kind, helps[current])
        else:
            found = _SAMPLE.fullmatch(line)
            assert found, f"no sample: {line!r}"
            assert found[1] == current, f"{found[1]} stands apart from its type"
            labels = _labels(found[2] or "")
            assert labels not in families[current].samples, f"{line!r} comes twice"
            families[current].samples[labels] = float(found[3])
    return families


def _labels(text: str) -> tuple[tuple[str, str], ...]:
    labels, position = [], 0
    while position < len(text):
        found = _LABEL.match(text, position)
        assert found, f"no label: {text[position:]!r}"
        labels.append((found[1], re.sub(r'\\["\\n]', lambda escape: _UNESCAPED[escape[0]], found[2])))
        position = found.end()
    return tuple(labels)
