"""The door out: batches, the spool, group commit, and a lane with retries to every backend."""

from stathouse.delivery.counts import Counts, Depth, EntryCounts, LaneCounts, LaneState
from stathouse.delivery.delivery import Delivery
from stathouse.delivery.options import DeliveryOptions

__all__ = ["Counts", "Delivery", "DeliveryOptions", "Depth", "EntryCounts", "LaneCounts", "LaneState"]
