"""Views: what the API shows. Typed data, and how it is made of the node's own objects."""
