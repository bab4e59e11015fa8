"""Payments: what is checked before a transfer is signed, what it costs to relay, and the signed transfer itself."""

from __future__ import annotations

from dataclasses import dataclass

from pychain import native
from pychain.base.codec import U64_MAX
from pychain.base.errors import DecodeError
from pychain.chain.hashes import HASH_BYTES
from pychain.chain.transaction import (
    KEY_BYTES,
    MAX_MEMO_BYTES,
    SIGNATURE_BYTES,
    TRANSFER_BYTES,
    Transfer,
    new_transfer,
    signing_message,
    transfer_body,
)
from pychain.wallet.errors import WalletError
from pychain.wallet.keys import Signer


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment to make. Amounts in base units; `recipient` is a 32-byte public key; the memo has up to 512 bytes.

    WalletError if no node would accept it, or if anyone could take the coins.
    """

    recipient: bytes
    amount: int
    fee: int = 0
    memo: bytes = b""

    def __post_init__(self) -> None:
        check_recipient(self.recipient)
        if self.amount < 0 or self.fee < 0:
            raise WalletError("amount and fee must not be negative")
        if self.amount + self.fee > U64_MAX:
            raise WalletError("amount and fee together are more than an account can hold")
        if len(self.memo) > MAX_MEMO_BYTES:
            raise WalletError(f"the memo has {len(self.memo)} bytes, at most {MAX_MEMO_BYTES} are allowed")

    @property
    def size(self) -> int:
        """Bytes of the transfer."""
        return TRANSFER_BYTES + len(self.memo)


def check_recipient(public_key: bytes) -> None:
    """Refuse a key that is not a canonical point of large order: anyone, or no one, could spend coins paid to it."""
    if len(public_key) != KEY_BYTES:
        raise WalletError(f"a public key has {KEY_BYTES} bytes, not {len(public_key)}")
    if not native.is_canonical_large_order(public_key):
        raise WalletError("the address holds no safe public key: anyone, or no one, could spend what is paid there")


def check_sequence(sequence: int) -> None:
    """Refuse a sequence (the account's nonce) that no transfer may have."""
    if not 0 <= sequence < U64_MAX:
        raise WalletError(f"sequence {sequence} is not in 0 to {U64_MAX - 1}")


def fee_for(size: int, rate: int) -> int:
    """The fee of a transfer of `size` bytes at `rate` base units per kilobyte (1,000 bytes), rounded up."""
    return -(-size * rate // 1000)


def replacement_fee(old_fee: int, size: int, relay_rate: int, wanted: int = 0) -> int:
    """The lowest fee, at least `wanted`, for which nodes let a transfer of `size` bytes replace a pending one: it pays
    for its own relay on top of the old fee, and always more than the old fee."""
    return max(wanted, old_fee + max(1, fee_for(size, relay_rate)))


def sign_transfer(key: Signer, genesis_hash: bytes, sequence: int, payment: Payment) -> Transfer:
    """The payment from the key's account, valid on the chain with this genesis and at this sequence only."""
    check_sequence(sequence)
    body = transfer_body(key.public_key, sequence, payment.recipient, payment.amount, payment.fee, payment.memo)
    return new_transfer(body, key.sign(signing_message(genesis_hash, body)))


def is_transfer_message(message: bytes, sender: bytes) -> bool:
    """Whether `message` is the signed message of a transfer of that key, on any chain."""
    domain = signing_message(b"", b"")
    try:
        transfer = new_transfer(message[len(domain) + HASH_BYTES :], bytes(SIGNATURE_BYTES))
    except DecodeError:
        return False
    return message.startswith(domain) and transfer.sender == sender
