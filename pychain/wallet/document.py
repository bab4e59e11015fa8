"""Transfers as files: written where the account is known, signed where its key is, sent where a node is.

    {"format": "pychain-transfer", "version": 1,
     "genesis": "<hash of the chain's first block>",
     "sender": "<address>", "sequence": 7, "recipient": "<address>",
     "amount": 150000000, "fee": 1550, "memo": "<hex>",
     "signature": "<64 bytes, hex>"}

Amounts are in base units; `sequence` is the account's nonce. `signature` is null until the file is signed. Nothing in
it is repeated (no raw bytes, no txid), so what a person reads is what is signed and sent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

import msgspec

from pychain import native
from pychain.base.errors import DecodeError
from pychain.chain.address import MAX_ADDRESS_CHARACTERS, decode_address, encode_address
from pychain.chain.hashes import hash_hex
from pychain.chain.spec import ChainSpec
from pychain.chain.transaction import MAX_MEMO_BYTES, Transfer, new_transfer, signing_message, transfer_body
from pychain.wallet.errors import WalletError
from pychain.wallet.keys import Signer
from pychain.wallet.payment import Payment, check_sequence, sign_transfer

MAX_DOCUMENT_BYTES = 16 * 1024
"""Ten times the size with the longest memo."""

_Address = Annotated[str, msgspec.Meta(max_length=MAX_ADDRESS_CHARACTERS)]
_Amount = Annotated[int, msgspec.Meta(ge=0)]


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    format: Literal["pychain-transfer"]
    version: Literal[1]
    genesis: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    sender: _Address
    sequence: _Amount
    recipient: _Address
    amount: _Amount
    fee: _Amount
    memo: Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{2})*$", max_length=2 * MAX_MEMO_BYTES)]
    signature: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{128}$")] | None


@dataclass(frozen=True, slots=True)
class Draft:
    """A transfer from the account `sender` (a public key), signed or not yet."""

    sender: bytes
    sequence: int
    payment: Payment
    signature: bytes | None = None

    def signed(self, key: Signer, genesis_hash: bytes) -> Draft:
        """The draft with the signature of its sender's key."""
        if key.public_key != self.sender:
            raise WalletError("this is not the key of the account that pays")
        return replace(self, signature=sign_transfer(key, genesis_hash, self.sequence, self.payment).signature)

    def transfer(self, genesis_hash: bytes) -> Transfer:
        """The signed transfer; WalletError if the signature is missing or not valid on that chain."""
        if self.signature is None:
            raise WalletError("the transfer is not signed yet")
        pay = self.payment
        body = transfer_body(self.sender, self.sequence, pay.recipient, pay.amount, pay.fee, pay.memo)
        if not native.verify_strict(self.sender, signing_message(genesis_hash, body), self.signature):
            raise WalletError("the transfer's signature is not valid: the file was changed after signing")
        return new_transfer(body, self.signature)


def encode_draft(spec: ChainSpec, draft: Draft) -> bytes:
    """The file of a draft for the network."""
    document = _Document(
        "pychain-transfer",
        1,
        hash_hex(spec.genesis_hash),
        encode_address(spec.hrp, draft.sender),
        draft.sequence,
        encode_address(spec.hrp, draft.payment.recipient),
        draft.payment.amount,
        draft.payment.fee,
        draft.payment.memo.hex(),
        None if draft.signature is None else draft.signature.hex(),
    )
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def decode_draft(spec: ChainSpec, data: bytes) -> Draft:
    """The draft in a file. WalletError if it is not one, or is for another chain."""
    if len(data) > MAX_DOCUMENT_BYTES:
        raise WalletError(f"a transfer file has at most {MAX_DOCUMENT_BYTES} bytes")
    try:
        document = msgspec.json.decode(data, type=_Document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WalletError(f"not a transfer file: {error}") from None
    if document.genesis != hash_hex(spec.genesis_hash):
        raise WalletError(f"the transfer is for the chain of genesis {document.genesis}, not for '{spec.name}'")
    try:
        sender, recipient = (decode_address(spec.hrp, text) for text in (document.sender, document.recipient))
    except DecodeError as error:
        raise WalletError(f"not a transfer file: {error}") from None
    payment = Payment(recipient, document.amount, document.fee, bytes.fromhex(document.memo))
    check_sequence(document.sequence)
    signature = None if document.signature is None else bytes.fromhex(document.signature)
    return Draft(sender, document.sequence, payment, signature)
