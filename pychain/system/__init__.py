"""What several rooms need of the operating system: entropy, and files that are written whole or not at all."""
