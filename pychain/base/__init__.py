"""Base: what every package may use and what knows nothing of chains: errors, bounded codec, time, entropy, units."""
