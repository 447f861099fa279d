"""Generated clips against real ones: protocols, metrics, statistics, and the report."""
