"""Sources that the house reads by itself: the host it runs on."""
