"""The specification: what docs/consensus.md says, as a slow and readable program.

It is the oracle of the consensus tests, so it imports nothing of the package, only the standard library. Nothing in it
is fast: the state is computed from genesis whenever it is read, and a signature is checked with Python's own
integers. To read it from top to bottom:

`rules` what can be broken, and what that means; `encoding` integers and counts; `hashing` hashes and the merkle tree;
`signatures` Ed25519 under ZIP-215; `network` the numbers that make one network, and its genesis; `headers` targets,
work and the proof of work; `retarget` what bits come next; `branch` a header in its place; `transactions`; `blocks`
levels 1 and 2; `state` the state transition; `chain` which branch is followed.

From outside a chain takes raw bytes and answers with rule codes, so any implementation can be held to it.
"""
