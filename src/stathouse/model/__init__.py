"""The house's nouns: frozen values and the small protocols between its rooms."""

from stathouse.model.batch import Batch, BatchName, Outcome, Payload, Rejection, Table
from stathouse.model.ports import Clock, Reader, Sink, SystemClock, Writer
from stathouse.model.query import Answer, EventQuery, Query, Row, SeriesInfo, SeriesRows
from stathouse.model.reasons import REASONS
from stathouse.model.values import Event, FieldValue, Kind, Point, Sample, Tags, state_rank

__all__ = [
    "REASONS",
    "Answer",
    "Batch",
    "BatchName",
    "Clock",
    "Event",
    "EventQuery",
    "FieldValue",
    "Kind",
    "Outcome",
    "Payload",
    "Point",
    "Query",
    "Reader",
    "Rejection",
    "Row",
    "Sample",
    "SeriesInfo",
    "SeriesRows",
    "Sink",
    "SystemClock",
    "Table",
    "Tags",
    "Writer",
    "state_rank",
]
