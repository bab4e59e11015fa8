"""The specification: docs/consensus.md as a slow and readable program.

It is the oracle of the consensus tests, so it imports only the standard library. It is not fast: the state is computed
from genesis whenever it is read, and a signature is checked with Python's integers. The order of reading:

`rules` the rules and what a violation proves; `encoding` integers and counts; `hashing` hashes and the merkle tree;
`signatures` Ed25519 under ZIP-215; `network` the parameters of a network, and its genesis; `headers` targets, work and
proof of work; `retarget` the next bits; `branch` a header on its parent; `transactions`; `blocks` levels 1 and 2;
`state` the state transition; `chain` fork choice.

A chain takes raw bytes and answers with rule codes, so any implementation can be compared with it.
"""
