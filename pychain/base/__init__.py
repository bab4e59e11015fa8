"""Base: what every room may use and that knows nothing of chains: errors, bounded codec, time, entropy, units."""
