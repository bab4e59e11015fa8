"""The executable chain specification: every rule as named blocks, a fork diagram, and the answer a chain must give.

`limits` restates the bounds, `story` is the language, `cases_*` are the cases, `test_chainspec` plays them on every
driver. In the diagrams a chain grows to the right, `*` marks the tip in the end, and a code stands beside the block
that earns it.
"""
