"""Shares: parsing and checking `mining.submit`. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pychain import native
from pychain.base.errors import DecodeError, PychainError
from pychain.stratum.jobs import hex_bytes, hex_word
from pychain.stratum.messages import ErrorCode
from pychain.stratum.server.jobs import Work
from pychain.stratum.server.limits import EXTRANONCE2_BYTES

_PARAMS = 5
_PARAMS_ROLLED = 6
"""With version bits."""


class RefusedError(PychainError):
    """A refused call: the protocol's code, and one line for the operator of the miner."""

    def __init__(self, code: ErrorCode, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Submission:
    """The parameters of `mining.submit`. `version_bits` is None if the sixth is missing."""

    user: str
    job_id: str
    extranonce2: bytes
    time: int
    nonce: int
    version_bits: int | None

    @classmethod
    def from_params(cls, params: list[Any]) -> Submission:
        """RefusedError with code 20 if they are malformed."""
        if len(params) not in (_PARAMS, _PARAMS_ROLLED):
            raise RefusedError(
                ErrorCode.OTHER, "a share is user, job, extranonce2, ntime, nonce and optional version bits"
            )
        user, job_id, extranonce2, time, nonce = params[:_PARAMS]
        if not isinstance(user, str) or not isinstance(job_id, str):
            raise RefusedError(ErrorCode.OTHER, "user and job id must be strings")
        try:
            return cls(
                user=user,
                job_id=job_id,
                extranonce2=hex_bytes("extranonce2", extranonce2, EXTRANONCE2_BYTES),
                time=hex_word("ntime", time),
                nonce=hex_word("nonce", nonce),
                version_bits=hex_word("version bits", params[_PARAMS]) if len(params) == _PARAMS_ROLLED else None,
            )
        except DecodeError as error:
            raise RefusedError(ErrorCode.OTHER, str(error)) from None


@dataclass(frozen=True, slots=True)
class Share:
    """A share: the header's fields, its hash, and the extra nonces of its coinbase."""

    work: Work
    extranonces: bytes
    version: int
    time: int
    nonce: int
    hash: bytes

    @property
    def value(self) -> int:
        """The hash as a number, to compare with targets."""
        return int.from_bytes(self.hash, "little")


def rolled_version(version: int, mask: int, bits: int | None) -> int:
    """The header's version with the miner's bits where `mask` allows them (BIP 310)."""
    if bits is None:
        return version
    if bits & ~mask:
        raise RefusedError(ErrorCode.OTHER, f"version bits {bits:08x} are not all in the mask {mask:08x}")
    return version & ~mask | bits


def share_of(work: Work, extranonce1: bytes, submission: Submission, mask: int, max_time: int) -> Share:
    """Hash a submission. RefusedError if no block could have this time or version."""
    least = work.template.min_time
    if not least <= submission.time <= max_time:
        raise RefusedError(ErrorCode.OTHER, f"ntime {submission.time} is not in {least} to {max_time}")
    job = work.job
    version = rolled_version(job.version, mask, submission.version_bits)
    extranonces = extranonce1 + submission.extranonce2
    header = job.header(job.merkle_root(extranonces), version, submission.time, submission.nonce)
    return Share(work, extranonces, version, submission.time, submission.nonce, native.header_hash(header))


def check(share: Share, accepted_target: int, current: bool) -> None:
    """RefusedError if the share is a duplicate, builds on a block that is no longer the tip, or is too easy. Otherwise
    it is recorded."""
    if share.hash in share.work.shares:
        raise RefusedError(ErrorCode.DUPLICATE, "duplicate share")
    if not current:
        raise RefusedError(ErrorCode.STALE, "stale share: the tip has changed")
    if share.value > accepted_target:
        raise RefusedError(ErrorCode.LOW_DIFFICULTY, "low difficulty share")
    share.work.shares.add(share.hash)
