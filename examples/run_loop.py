"""Drive one node by hand: the whole contract between a node and what runs it.

A node does no I/O. It takes one input at a time and returns effects; whoever runs it carries them out and comes back
with what became of them. Here that is a loop over a queue, a store in memory, and a clock that moves when nothing else
does. The daemon does the same with sockets, threads and a disk.

    height 1 is durable
    height 2 is durable
    height 3 is durable
    stopped after 3 blocks
"""

from __future__ import annotations

from collections import deque

from pychain import native
from pychain.base.time import NS, Now
from pychain.chain.spec import packaged_spec
from pychain.consensus.rulebook import Rulebook
from pychain.consensus.semantic import verify_blocks
from pychain.ledger.memory_store import MemoryStore
from pychain.node.config import NodeConfig
from pychain.node.effects import Commit, Effect, Publish, StartMining, Stopped, VerifyBlocks
from pychain.node.events import NewTip
from pychain.node.inputs import BlockMined, BlocksVerified, CommitDone, Input, Start, Stop, Tick
from pychain.node.node import Node
from pychain.sim.entropy import SeededEntropy
from pychain.wallet.keys import dev_key

BLOCKS = 3
SPEC = packaged_spec("dev")


def mined(effect: StartMining) -> BlockMined:
    """A block for the template. On `dev` every second nonce is one."""
    template = effect.template
    coinbase = template.coinbase(effect.recipient, bytes(32))
    nonce, _ = native.search(template.header_prefix(coinbase, template.time), template.target, 0, 2**32)
    assert nonce is not None
    return BlockMined(template.block(coinbase, template.time, nonce).raw)


def main() -> None:
    store = MemoryStore()
    config = NodeConfig(Rulebook(SPEC), mine_to=dev_key(0).public_key)
    node = Node(config, store, SeededEntropy(1, "example"))
    inputs: deque[Input] = deque([Start()])
    now_ns = 0
    ended = False

    def carry(effect: Effect) -> None:
        nonlocal ended
        match effect:
            case Commit():  # make it durable, then let reads show it, then say so
                store.commit(effect.batch)
                store.advance()
                inputs.append(CommitDone(effect.job))
            case VerifyBlocks():  # signatures and proof of work; a thread's work elsewhere
                inputs.append(BlocksVerified(effect.job, tuple(verify_blocks(SPEC, effect.raws))))
            case StartMining() if effect.template.height <= BLOCKS:
                inputs.append(mined(effect))
            case Publish(event=NewTip(height=height)):
                print(f"height {height} is durable")
                if height == BLOCKS:
                    inputs.append(Stop())
            case Stopped():
                ended = True

    while not ended:
        if not inputs:
            deadline = node.deadline()
            assert deadline is not None, "a node that waits for nothing would wait for ever"
            now_ns = max(now_ns, deadline)
            inputs.append(Tick())
        for effect in node.handle(inputs.popleft(), Now(now_ns, SPEC.start_time + now_ns // NS)):
            carry(effect)
    print(f"stopped after {node.queries.tip.height} blocks")


if __name__ == "__main__":
    main()
