r"""Metrics as Prometheus text, version 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/).

Names that Prometheus does not know are bent into its shape: other characters become ``_``, and a counter ends in
``_total``. Label values are escaped and may be anything.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

__all__ = ["CONTENT_TYPE", "Metric", "MetricKind", "encode"]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

MetricKind: TypeAlias = Literal["counter", "gauge", "untyped"]

_NOT_IN_NAME: Final = re.compile(r"[^a-zA-Z0-9_:]")
_NOT_IN_LABEL: Final = re.compile(r"[^a-zA-Z0-9_]")
_LABEL_ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
_HELP_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\n": "\\n"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric and its samples.

    Args:
        name: its name; a counter's ``_total`` is added when it is not there.
        kind: what Prometheus takes it for.
        help: one line for a person.
        samples: (labels, value) pairs, each set of labels once.
    """

    name: str
    kind: MetricKind
    help: str
    samples: tuple[tuple[Mapping[str, str], float], ...]


def encode(metrics: Iterable[Metric]) -> bytes:
    r"""Return the text of all metrics.

    >>> print(encode([Metric(name="lost", kind="counter", help="Lost.", samples=(({"reason": "a\nb"}, 2),))]).decode())
    # HELP lost_total Lost.
    # TYPE lost_total counter
    lost_total{reason="a\nb"} 2
    <BLANKLINE>
    """
    lines: list[str] = []
    for metric in metrics:
        name = _metric_name(metric)
        lines.append(f"# HELP {name} {metric.help.translate(_HELP_ESCAPES)}")
        lines.append(f"# TYPE {name} {metric.kind}")
        lines.extend(f"{name}{_labels(labels)} {_number(value)}" for labels, value in metric.samples)
    return "".join(f"{line}\n" for line in lines).encode()


def _metric_name(metric: Metric) -> str:
    name = _NOT_IN_NAME.sub("_", metric.name) or "_"
    if name[0].isdigit():
        name = f"_{name}"
    return f"{name}_total" if metric.kind == "counter" and not name.endswith("_total") else name


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    pairs = (f'{_label_name(key)}="{value.translate(_LABEL_ESCAPES)}"' for key, value in labels.items())
    return "{" + ",".join(pairs) + "}"


def _label_name(key: str) -> str:
    name = _NOT_IN_LABEL.sub("_", key) or "_"
    return f"_{name}" if name[0].isdigit() else name


def _number(value: float) -> str:
    if isinstance(value, int):
        return str(int(value))
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")
