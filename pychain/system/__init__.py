"""System: entropy from the operating system, and atomic file writes."""
