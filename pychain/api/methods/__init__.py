"""The methods of JSON-RPC, one file per topic; `control.GROUPS` lists them all."""
