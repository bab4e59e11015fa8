"""The server's side of Stratum without I/O: one `Session` per connection, its jobs, shares and difficulty.

`session` is the state machine (its states and transitions are a table in `states`), `jobs` makes work from templates,
`shares` checks submissions, `vardiff` sets difficulties, `registry` counts. The daemon moves the bytes.
"""
