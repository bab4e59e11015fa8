"""The cost of a block from its bytes to the changed accounts: decode, check with signatures, connect."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256

from pychain import native
from pychain.chain.block import Block, new_block
from pychain.chain.header import new_header
from pychain.chain.spec import ChainSpec, packaged_spec
from pychain.chain.target import target_from_bits
from pychain.chain.transaction import (
    Transaction,
    Transfer,
    decode_transfer,
    new_coinbase,
    signed_message,
    signing_message,
    transfer_body,
)
from pychain.consensus.semantic import check_block
from pychain.consensus.state import ABSENT, Account, connect_block
from pychain.consensus.structure import parse_block
from pychain.consensus.subsidy import subsidy
from pychain.wallet.keys import PrivateKey

RICH = Account(10**9, 0)
FEE = 1
Signatures = Callable[[ChainSpec, Block], bool]


class Accounts:
    """A state in memory."""

    def __init__(self, accounts: dict[bytes, Account]) -> None:
        self._accounts = accounts

    def account(self, key: bytes) -> Account:
        return self._accounts.get(key, ABSENT)

    def accounts(self, keys: Sequence[bytes]) -> list[Account]:
        return [self.account(key) for key in keys]


class Sample:
    """A block of `transfers` transfers, each from one account to the next, and the state before it."""

    def __init__(self, transfers: int) -> None:
        self.spec = packaged_spec("dev")
        keys = [PrivateKey(sha256(i.to_bytes(4, "little")).digest()) for i in range(transfers)]
        self._accounts = Accounts({key.public_key: RICH for key in keys})
        pairs = zip(keys, [*keys[1:], keys[0]], strict=True)
        self.raw = self._mined([self._transfer(payer, payee.public_key) for payer, payee in pairs]).raw

    def _transfer(self, payer: PrivateKey, recipient: bytes) -> Transfer:
        body = transfer_body(payer.public_key, 0, recipient, 1, FEE, b"")
        return decode_transfer(body + payer.sign(signing_message(self.spec.genesis_hash, body)))

    def _mined(self, transfers: list[Transfer]) -> Block:
        spec, parent = self.spec, self.spec.genesis.header
        coinbase = new_coinbase(1, bytes(32), subsidy(spec, 1) + FEE * len(transfers), bytes(32))
        transactions: list[Transaction] = [coinbase, *transfers]
        root = native.merkle_root(b"".join([transaction.txid for transaction in transactions]))
        bare = new_header(1, parent.hash, root, parent.time + 1, parent.bits, 0)
        nonce, _ = native.search(bare.raw, target_from_bits(parent.bits), 0, 2**32)
        assert nonce is not None
        return new_block(new_header(1, parent.hash, root, parent.time + 1, parent.bits, nonce), transactions)

    def connected(self, signatures: Signatures) -> Callable[[int], None]:
        """The work of connecting it n times, on one thread."""

        def work(count: int) -> None:
            for _ in range(count):
                block = parse_block(self.spec, self.raw)
                check_block(self.spec, block)
                if not signatures(self.spec, block):
                    raise AssertionError("a block's good signatures were refused")
                connect_block(self.spec, block, 1, self._accounts, None)

        return work


def one_by_one(verify: Callable[[bytes, bytes, bytes], bool]) -> Signatures:
    """A block's signatures by a verifier that takes a key, a message and a signature."""

    def signatures(spec: ChainSpec, block: Block) -> bool:
        return all(
            verify(each.sender, signed_message(spec.genesis_hash, each), each.signature) for each in _transfers(block)
        )

    return signatures


def together(spec: ChainSpec, block: Block) -> bool:
    """A block's signatures in one call, read from its bytes in place."""
    prefix = signing_message(spec.genesis_hash, b"")
    valid = native.verify_transfers(block.raw, block.offsets[1:-1], block.offsets[2:], prefix, threads=1)
    return valid == b"\1" * (block.count - 1)


def _transfers(block: Block) -> Iterator[Transfer]:
    for position in range(1, block.count):
        transfer = block.transaction(position)
        assert isinstance(transfer, Transfer)
        yield transfer
