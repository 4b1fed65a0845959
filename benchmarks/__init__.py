"""Speed and memory, side by side with rivals and the limit in one run. ``make bench`` runs all of it."""
