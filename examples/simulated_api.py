"""Test a program against the API of a simulated node: the methods, resources and events of a daemon, in virtual time.

The program under test is a shop that waits for a payment to be three blocks deep. Two real nodes run in this process;
the shop asks one of them, the customer pays through the other. An hour of the chain takes a moment, and each run of a
seed prints the same.

    the customer pays 2500000000 in ...
    the shop hears of it: accepted
    depth 1 at height ...
    depth 2 at height ...
    depth 3 at height ..., the goods may go
    the shop has 2500000000 more, after ... s
"""

from __future__ import annotations

from dataclasses import replace

from pychain.chain.address import encode_address
from pychain.chain.spec import packaged_spec
from pychain.consensus.rulebook import Rulebook
from pychain.sim.api import HostApi
from pychain.sim.world import World
from pychain.wallet.keys import dev_key
from pychain.wallet.payment import Payment, sign_transfer

SPEC = replace(packaged_spec("dev"), spacing_s=600)
CUSTOMER, SHOP, MINER = dev_key(0), dev_key(1), dev_key(2)
PRICE = 2_500_000_000
DEPTH = 3
HASH_RATE = 2 / SPEC.spacing_s
"""On `dev` two hashes find a block."""


def wait_for_payment(api: HostApi, txid: str) -> None:
    """The program under test; over HTTP it would make the same calls of a daemon."""
    with api.events("tx", "tip", timeout_s=7200) as events:
        for event in events:
            if event.kind == "tx" and event.data["txid"] == txid:
                print(f"the shop hears of it: {event.data['status']}")
            depth = api.get(f"/tx/{txid}").body["confirmations"]
            if event.kind == "tip" and depth:
                end = ", the goods may go" if depth >= DEPTH else ""
                print(f"depth {depth} at height {event.data['height']}{end}")
            if depth >= DEPTH:
                return


def main() -> None:
    world = World(Rulebook(SPEC), seed=3)
    shop = world.add("shop")
    customer = world.add("customer", connect=["shop"], mine_to=MINER.public_key, hash_rate=HASH_RATE)
    world.start()
    shop.api.call("waitforblockheight", 1)
    address = encode_address(SPEC.hrp, SHOP.public_key)
    before = shop.api.call("getaccount", address)["balance"]

    transfer = sign_transfer(CUSTOMER, SPEC.genesis_hash, 0, Payment(SHOP.public_key, PRICE, fee=1000))
    txid = customer.api.call("sendrawtransaction", transfer.raw.hex())
    print(f"the customer pays {PRICE} in {txid[:16]}...")
    wait_for_payment(shop.api, txid)
    balance = shop.api.call("getaccount", address)["balance"]
    print(f"the shop has {balance - before} more, after {shop.api.call('uptime')} s")


if __name__ == "__main__":
    main()
