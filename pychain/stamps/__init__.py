"""Stamps: digests of files in the memos of transfers, and portable proofs that they are in a chain. Pure.

`memo` is the form of a stamp on the chain, `tree` combines many files into one digest, `branch` leads from a
transaction to its block, `headers` checks a chain of headers, `proof` is the document, `check` its verification.
"""
