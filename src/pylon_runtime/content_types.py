"""Media types by file name, from our own table: the operating system's differs from machine to machine."""

from pathlib import PurePath

_TEXT = {
    ".css": "text/css",
    ".csv": "text/csv",
    ".htm": "text/html",
    ".html": "text/html",
    ".js": "text/javascript",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".svg": "image/svg+xml",
    ".ts": "text/plain",
    ".tsx": "text/plain",
    ".txt": "text/plain",
    ".xml": "application/xml",
}

_OTHER = {
    ".avif": "image/avif",
    ".gif": "image/gif",
    ".glb": "model/gltf-binary",
    ".ico": "image/x-icon",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".map": "application/json",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".ogg": "audio/ogg",
    ".otf": "font/otf",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".ttf": "font/ttf",
    ".wasm": "application/wasm",
    ".wav": "audio/wav",
    ".webm": "video/webm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".zip": "application/zip",
}

_BY_SUFFIX = {suffix: f"{kind}; charset=utf-8" for suffix, kind in _TEXT.items()} | _OTHER


def content_type(name: str) -> str:
    return _BY_SUFFIX.get(PurePath(name).suffix.lower(), "application/octet-stream")
