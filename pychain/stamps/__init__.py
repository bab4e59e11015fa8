"""Stamps: digests of files in the memos of transfers, and portable proofs that they are in a chain. Pure.

`memo` is what a stamp looks like on the chain, `tree` puts many files under one digest, `branch` leads from a
transaction to its block, `headers` judges a chain of headers, `proof` is the document, `check` its verification.
"""
