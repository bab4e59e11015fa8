"""Commands: one thin file per group; the packages below do the work."""
