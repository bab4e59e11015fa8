"""Commands: one file a group, thin; what they do is done by the rooms below."""
