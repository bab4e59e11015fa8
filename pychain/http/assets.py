"""Static files: read once at the start, under a policy that lets a page load only from its own origin."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from importlib.resources import files
from importlib.resources.abc import Traversable

from pychain.http.message import SNIFF_NOT, Files, Header, Request, Response, RouteDef

_TYPES = {
    "css": b"text/css; charset=utf-8",
    "html": b"text/html; charset=utf-8",
    "ico": b"image/x-icon",
    "js": b"text/javascript; charset=utf-8",
    "json": b"application/json",
    "png": b"image/png",
    "svg": b"image/svg+xml",
    "txt": b"text/plain; charset=utf-8",
    "webmanifest": b"application/manifest+json",
    "woff2": b"font/woff2",
}
"""By file name extension; others are not served."""
_SOURCES = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    b"font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    b"require-trusted-types-for 'script'; trusted-types 'none'"
)
"""Nothing inline, nothing from other hosts, no framing, and no markup from strings (Trusted Types): text from the chain
stays text in a page."""
_POLICY: tuple[Header, ...] = (
    (b"content-security-policy", _SOURCES),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    SNIFF_NOT,
)
INDEX = "index.html"


class Asset:
    """One file."""

    def __init__(self, name: str, content: bytes) -> None:
        self._tag = b'"%b"' % hashlib.blake2b(content, digest_size=12).hexdigest().encode()
        headers = (
            (b"content-type", _TYPES[name.rpartition(".")[2]]),
            (b"etag", self._tag),
            (b"cache-control", b"no-cache"),  # revalidated each time: a new version of the node is seen at once
            *_POLICY,
        )
        self._whole = Response(HTTPStatus.OK, content, headers)
        self._unchanged = Response(HTTPStatus.NOT_MODIFIED, b"", headers[1:])

    def serve(self, request: Request) -> Response:
        return self._unchanged if request.headers.get(b"if-none-match") == self._tag else self._whole


def load_assets(directory: Traversable, at: str) -> Iterator[RouteDef]:
    """Routes to the files below a package's directory, read now; `at` ends in a slash, and `index.html` is also served
    there, with and without the slash."""
    if not directory.is_dir():
        return
    for entry in sorted(directory.iterdir(), key=lambda each: each.name):
        if entry.is_dir():
            yield from load_assets(entry, f"{at}{entry.name}/")
        elif entry.name.rpartition(".")[2] in _TYPES:
            serve = Asset(entry.name, entry.read_bytes()).serve
            yield RouteDef("GET", at + entry.name, serve)
            if entry.name == INDEX:
                for path in dict.fromkeys((at, at.rstrip("/") or at)):
                    yield RouteDef("GET", path, serve)


def load_files(every: Iterable[Files]) -> Iterator[RouteDef]:
    """Routes to a site's static files."""
    for each in every:
        yield from load_assets(files(each.package) / each.folder, each.at)
