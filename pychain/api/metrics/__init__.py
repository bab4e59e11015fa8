"""Metrics: what is counted from the process' start on (`meters`), and how Prometheus reads it (`exposition`)."""
