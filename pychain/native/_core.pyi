"""Types of the compiled module that csrc/build_native.py describes; csrc/pychain.h is its manual."""

from array import array
from collections.abc import Callable, Iterable
from typing import overload

class CData:
    """A C value that cffi owns or points to."""

    hashes: int
    hits: int
    nonce: int
    version: int
    @overload
    def __getitem__(self, index: slice) -> Iterable[CData]: ...
    @overload
    def __getitem__(self, index: int) -> int: ...

class CType: ...

class FFI:
    NULL: CData
    def typeof(self, cdecl: str) -> CType: ...
    def new(self, ctype: CType, init: int | list[int] | list[CData]) -> CData: ...
    def new_allocator(self, *, should_clear_after_alloc: bool) -> Callable[[CType, int], CData]: ...
    def from_buffer(self, ctype: CType, python_buffer: bytes | bytearray | memoryview | array[int]) -> CData: ...
    def buffer(self, cdata: CData) -> memoryview: ...
    def unpack(self, cdata: CData, length: int) -> bytes: ...
    def string(self, cdata: CData) -> bytes: ...

class Lib:
    PYCHAIN_NO_MEMORY: int
    PYCHAIN_IN_DOUBT: int
    def pychain_init(self) -> int: ...
    def pychain_kernel_name(self, index: int) -> CData: ...
    def pychain_kernel_in_use(self) -> CData: ...
    def pychain_kernel_use(self, name: bytes) -> int: ...
    def pychain_sha256d(self, out: CData, data: bytes, size: int) -> None: ...
    def pychain_sha256d_many(self, out: CData, data: bytes, size: int, offsets: CData, count: int) -> int: ...
    def pychain_sha256d_records(self, out: CData, data: bytes, size: int, count: int) -> None: ...
    def pychain_merkle_root(self, root: CData, leaves: bytes, count: int, scratch: CData) -> int: ...
    def pychain_search(
        self,
        hits: CData,
        room: int,
        header: bytes,
        versions: CData,
        version_count: int,
        target: bytes,
        start: int,
        count: int,
        stop: CData,
    ) -> CData: ...
    def pychain_transaction_offsets(self, offsets: CData, data: bytes, size: int, start: int, count: int) -> int: ...
    def pychain_transfer_rows(
        self, rows: CData, keys: CData, key_count: CData, data: bytes, size: int, offsets: CData, count: int
    ) -> int: ...
    def pychain_verify_transfers(
        self,
        valid: CData,
        data: bytes,
        size: int,
        starts: CData,
        ends: CData,
        count: int,
        prefix: bytes,
        prefix_size: int,
        seed: bytes | CData,
        threads: int,
    ) -> int: ...
    def pychain_sort_records(self, out: CData, parts: CData, counts: CData, part_count: int, size: int) -> int: ...
    def pychain_record_runs(
        self, starts: CData, records: CData, size: int, count: int, key: int, longest: int
    ) -> int: ...
    PYCHAIN_TOUCH_BYTES: int
    def pychain_touches(
        self,
        out: CData,
        keys: bytes,
        key_count: int,
        senders: CData,
        recipients: CData,
        count: int,
        first: int,
    ) -> int: ...
    def pychain_ed25519_init(self) -> int: ...
    def pychain_ed25519_name(self, index: int) -> CData: ...
    def pychain_ed25519_in_use(self) -> CData: ...
    def pychain_ed25519_use(self, name: bytes) -> int: ...
    def pychain_ed25519_verify(self, public_key: bytes, message: bytes, size: int, signature: bytes) -> int: ...
    def pychain_ed25519_verify_batch(
        self,
        valid: CData,
        public_keys: bytes,
        messages: bytes,
        size: int,
        offsets: CData,
        signatures: bytes,
        count: int,
        seed: bytes | CData,
        threads: int,
    ) -> int: ...
    def pychain_ed25519_is_canonical_large_order(self, public_key: bytes) -> int: ...
    def pychain_ed25519_verify_strict_batch(
        self,
        valid: CData,
        public_keys: bytes,
        messages: bytes,
        size: int,
        offsets: CData,
        signatures: bytes,
        count: int,
        seed: bytes | CData,
        threads: int,
    ) -> int: ...
    def pychain_cpu_name(self, out: CData, size: int) -> None: ...
    def pychain_cpu_features(self, out: CData, size: int) -> None: ...
    def pychain_compiler(self) -> CData: ...

ffi: FFI
lib: Lib
