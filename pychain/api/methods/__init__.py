"""The methods of JSON-RPC, a file for each concern; `control.GROUPS` is all of them."""
