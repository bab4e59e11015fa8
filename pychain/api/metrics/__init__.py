"""Metrics: counts since the process started (`meters`), and their Prometheus format (`exposition`)."""
