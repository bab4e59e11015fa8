"""What the tests share: an encoder written from docs/consensus.md alone, keys, networks, forged blocks, and the
reference chain that faster ones are compared with.
"""
