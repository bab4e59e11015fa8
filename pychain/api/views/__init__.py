"""Views: the API's results as typed data, built from the node's own objects."""
