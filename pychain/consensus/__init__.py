"""The consensus rules, each with its documented code.

Three levels of validity, one module each: `structure` (bytes alone), `semantic` (one block alone), `contextual` (the
parent's state). `state` applies and undoes blocks; `retarget`, `fork_choice` and `subsidy` are the rules that a chain
spec names.
"""
