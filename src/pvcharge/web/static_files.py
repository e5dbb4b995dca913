"""The page's own files and its words, which come with the package; told apart by what is in them."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath

from aiohttp import ETag, web

from pvcharge.words import LANGUAGES

FOLDER = "static"
WORDS = "words"
INDEX = "index.html"
TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain",
}
PACKED = {".html", ".js", ".mjs", ".css", ".json", ".webmanifest", ".svg", ".txt"}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file as it is served.

    Attributes:
        kind: its media type.
        content: its bytes.
        packed: the same by gzip; None where that saves nothing.
        tag: changes with the content.
    """

    kind: str
    content: bytes
    packed: bytes | None
    tag: str

    def respond(self, request: web.Request) -> web.Response:
        """Return the file, or the word that the client has it already."""
        packs = self.packed is not None and "gzip" in request.headers.get("Accept-Encoding", "")
        tag = f"{self.tag}-gz" if packs else self.tag
        headers = {"Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        known = request.if_none_match or ()
        if any(it.value in (tag, "*") for it in known):
            response = web.Response(status=304, headers=headers)
        else:
            response = web.Response(body=self.content, content_type=self.kind, headers=headers)
            if self.kind.startswith("text/"):
                response.charset = "utf-8"
            if packs:
                response.body = self.packed
                response.headers["Content-Encoding"] = "gzip"
        response.etag = ETag(tag)
        return response


def static_files(folder: Traversable | None = None) -> Mapping[str, StaticFile]:
    """Return files and words by their path below the base; that of the page itself is empty. Blocks.

    Args:
        folder: where they are; by default, in this package.
    """
    folder = folder or resources.files("pvcharge.web") / FOLDER
    files = dict(_walk(folder, "")) if folder.is_dir() else {}
    if INDEX in files:
        files[""] = files[INDEX]
    for language in LANGUAGES:
        path = f"{WORDS}/{language}.json"
        files[path] = _file((resources.files("pvcharge") / path).read_bytes(), ".json")
    return files


def _walk(folder: Traversable, prefix: str) -> list[tuple[str, StaticFile]]:
    found: list[tuple[str, StaticFile]] = []
    for entry in folder.iterdir():
        path = f"{prefix}{entry.name}"
        suffix = PurePosixPath(entry.name).suffix
        if entry.is_dir():
            found += _walk(entry, f"{path}/")
        elif suffix in TYPES:  # nothing else is meant to be seen
            found.append((path, _file(entry.read_bytes(), suffix)))
    return found


def _file(content: bytes, suffix: str) -> StaticFile:
    packed = gzip.compress(content, mtime=0) if suffix in PACKED else None
    if packed is not None and len(packed) >= len(content):
        packed = None
    return StaticFile(TYPES[suffix], content, packed, hashlib.sha256(content).hexdigest()[:16])
