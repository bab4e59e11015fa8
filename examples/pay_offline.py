"""From words on paper to the bytes of a signed payment, with no node and no network.

What comes out can be carried to any node of the network: `pychain rpc sendrawtransaction HEX`.

    account dpyc1...
    pays 25 coins to dpyc1...
    txid ...
    166 bytes: 01...
    the signature holds on dev, and on no other network
"""

from __future__ import annotations

from pychain import native
from pychain.chain.address import encode_address
from pychain.chain.hashes import hash_hex
from pychain.chain.spec import packaged_spec
from pychain.chain.transaction import signed_message
from pychain.consensus.structure import parse_transfer
from pychain.wallet.derivation import account_key
from pychain.wallet.keys import dev_key
from pychain.wallet.mnemonic import parse_mnemonic, seed_of
from pychain.wallet.payment import Payment, fee_for, sign_transfer

WORDS = "legal winner thank year wave sausage worth useful legal winner thank yellow"
"""A test vector of BIP 39: everybody knows it, so nothing may ever be kept under it."""
COIN = 100_000_000
FEE_RATE = 10_000
"""Base units a kilobyte."""
SEQUENCE = 0
"""How many transfers the account has sent so far: what other chains call its nonce."""


def main() -> None:
    spec = packaged_spec("dev")
    key = account_key(seed_of(parse_mnemonic(WORDS)), 0)
    recipient = dev_key(1).public_key
    memo = b"invoice 17."
    size = Payment(recipient, 25 * COIN, 0, memo).size
    payment = Payment(recipient, 25 * COIN, fee_for(size, FEE_RATE), memo)
    transfer = sign_transfer(key, spec.genesis_hash, SEQUENCE, payment)

    print(f"account {encode_address(spec.hrp, key.public_key)}")
    print(f"pays {payment.amount // COIN} coins to {encode_address(spec.hrp, recipient)}")
    print(f"txid {hash_hex(transfer.txid)}")
    print(f"{len(transfer.raw)} bytes: {transfer.raw.hex()}")

    again = parse_transfer(transfer.raw)
    here, there = (
        native.verify_strict(again.sender, signed_message(network.genesis_hash, again), again.signature)
        for network in (spec, packaged_spec("test"))
    )
    assert here
    assert not there
    print("the signature holds on dev, and on no other network")


if __name__ == "__main__":
    main()
