"""Work for miners: the node's template with a coinbase for each mining address, and the jobs made from it."""

from __future__ import annotations

import itertools
from functools import cached_property

import msgspec

from pychain.base.entropy import Entropy
from pychain.chain.block import Block
from pychain.chain.target import target_from_bits
from pychain.chain.transaction import COINBASE_BYTES, MIN_EXTRA_BYTES
from pychain.ledger.template import BLOCK_VERSION, BlockTemplate
from pychain.stratum.difficulty import difficulty_of
from pychain.stratum.jobs import NOTIFY, Job
from pychain.stratum.server.limits import EXTRANONCE1_BYTES, EXTRANONCE2_BYTES

_NOTIFY = NOTIFY.encode()
_EXTRANONCE_BYTES = EXTRANONCE1_BYTES + EXTRANONCE2_BYTES
_SALT_BYTES = MIN_EXTRA_BYTES - _EXTRANONCE_BYTES
"""Random bytes after the extra nonces, so that no two works of any nodes share a header."""


class Work:
    """A template whose coinbase pays one address. `shares` has the hashes of its shares, to detect duplicates."""

    def __init__(self, template: BlockTemplate, recipient: bytes, salt: bytes) -> None:
        coinbase = template.coinbase(recipient, bytes(_EXTRANONCE_BYTES) + salt).raw
        self.template = template
        self.recipient = recipient
        self.shares: set[bytes] = set()
        self._salt = salt
        self.job = Job(
            job_id="",
            prev_hash=template.prev_hash,
            coinb1=coinbase[:COINBASE_BYTES],
            coinb2=salt,
            branch=template.merkle_branch,
            version=BLOCK_VERSION,
            bits=template.bits,
            time=template.time,
            clean=False,
        )

    @cached_property
    def _params_json(self) -> bytes:
        """The parameters between the job id and `clean`, the same for all connections."""
        return msgspec.json.encode(self.job.params()[1:-1])[1:-1]

    def notification(self, job_id: str, clean: bool) -> bytes:
        """The line of `mining.notify`."""
        last = b"true" if clean else b"false"
        return b'{"id":null,"method":"%b","params":["%b",%b,%b]}\n' % (
            _NOTIFY,
            job_id.encode(),
            self._params_json,
            last,
        )

    def block(self, extranonces: bytes, time: int, nonce: int, version: int) -> Block:
        """The complete block of a solution."""
        coinbase = self.template.coinbase(self.recipient, extranonces + self._salt)
        return self.template.block(coinbase, time, nonce, version)


class Workbook:
    """The works of the latest template, one per address, and the counter of job ids."""

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        # Not from 1: a miner that reconnects to a restarted node must not mistake a new job for an old one.
        self._numbers = itertools.count(int.from_bytes(entropy.bytes(3), "big") + 1)
        self._works: dict[bytes, Work] = {}
        self.template: BlockTemplate | None = None
        self.target = 0
        self.network_difficulty = 0.0

    def renew(self, template: BlockTemplate | None) -> None:
        """Make work from this template from now on; None stops it."""
        if template is not None and (self.template is None or self.template.bits != template.bits):
            self.target = target_from_bits(template.bits)
            self.network_difficulty = difficulty_of(self.target)
        self.template = template
        self._works.clear()

    def work_for(self, recipient: bytes) -> Work | None:
        """The current work paying to a 32-byte key; None while there is no template."""
        if self.template is None:
            return None
        work = self._works.get(recipient)
        if work is None:
            work = self._works[recipient] = Work(self.template, recipient, self._entropy.bytes(_SALT_BYTES))
        return work

    def is_on(self, prev_hash: bytes) -> bool:
        """Whether the current work builds on this block."""
        return self.template is not None and self.template.prev_hash == prev_hash

    def next_job_id(self) -> str:
        """A job id never used before."""
        return f"{next(self._numbers):x}"
