"""The backends: each a folder with ``open(url, options)``, unaware of the others and of delivery."""
