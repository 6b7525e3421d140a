"""What a file may hold, looked at in its bytes alone: nothing of it is unpacked, decoded or run.

Each rule refuses one thing, so that whoever sent the file is told what to do instead.
"""

from __future__ import annotations

import re
from typing import Literal, get_args

from shared.errors import Problem

MediaType = Literal["application/pdf", "image/jpeg", "image/png"]

MEDIA_TYPES: tuple[MediaType, ...] = get_args(MediaType)
UNCLAIMED = ("", "application/octet-stream")
# By so many bytes a file is known.
BEGIN_BYTES = 16
PIXELS_AT_MOST = 50_000_000
# Within so much of its beginning an image says how large it is; cameras put colours and previews before that.
HEAD_BYTES = 1_048_576
# How far from its end a ZIP archive is read from (its comment has 65,535 bytes at most), a PDF its last line.
TAIL_BYTES = 66_000
PDF_TAIL_BYTES = 1_024
# A name of PDF that is cut by the border of two parts is looked at again with the next one: each letter may be three.
OVERLAP_BYTES = 128

NOT_TAKEN, DIFFERS, PACKED = "file_type_not_taken", "file_type_differs", "file_packed"
PDF_CUT, PDF_ENCRYPTED, PDF_ACTIVE = "pdf_cut_off", "pdf_encrypted", "pdf_active"
IMAGE_BROKEN, IMAGE_LARGE = "image_broken", "image_too_large"

_BEGINS: tuple[tuple[bytes, MediaType], ...] = (
    (b"%PDF-1.", "application/pdf"),
    (b"%PDF-2.", "application/pdf"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
)
# ZIP (office documents of today too), gzip, 7z, RAR, bzip2, xz, Zstandard, CAB; older office documents, RTF.
_PACKED = (
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"PK\x07\x08",
    b"\x1f\x8b",
    b"7z\xbc\xaf\x27\x1c",
    b"Rar!\x1a\x07",
    b"BZh",
    b"\xfd7zXZ\x00",
    b"\x28\xb5\x2f\xfd",
    b"MSCF",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
    b"{\\rtf",
)
_ZIP_ENDS = b"PK\x05\x06"
# Long names alone: in megabytes of compressed bytes a short one comes up by chance.
_ACTIVE = re.compile(rb"/(?:JavaScript|Launch|EmbeddedFile|RichMedia|SubmitForm|ImportData)")
_ENCRYPTED = b"/Encrypt"
_ESCAPED = re.compile(rb"#([0-9A-Fa-f]{2})")
_PDF_ENDS = b"%%EOF"
_PNG_ENDS = b"IEND\xaeB`\x82"
# Frames that say the size of a JPEG; the others of that range are tables.
_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})


class Inspection:
    """Takes a file part by part, in order, and says at the end which rule refuses it. It keeps about a megabyte."""

    def __init__(self, claimed: str) -> None:
        self._claimed = claimed
        self._head = bytearray()
        self._tail = b""
        self._encrypted = self._active = False

    def take(self, part: bytes) -> None:
        if len(self._head) < HEAD_BYTES:
            self._head += part[: HEAD_BYTES - len(self._head)]
        if self._claimed == "application/pdf":
            self._look(self._tail[-OVERLAP_BYTES:] + part)
        self._tail = (self._tail + part)[-TAIL_BYTES:]

    def refused(self) -> Problem | None:
        """The rule that refuses what was taken; None for a file that is kept."""
        kind = kind_of(bytes(self._head[:BEGIN_BYTES]), self._claimed)
        if isinstance(kind, Problem):
            return kind
        if _ZIP_ENDS in self._tail:
            # A reader of archives looks at the end, whatever the file begins as.
            return Problem(PACKED)
        if kind == "application/pdf":
            return self._pdf()
        return _image(_png(bytes(self._head), self._tail) if kind == "image/png" else _jpeg(bytes(self._head)))

    def _look(self, part: bytes) -> None:
        plain = _ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), part)
        self._encrypted = self._encrypted or _ENCRYPTED in plain
        self._active = self._active or _ACTIVE.search(plain) is not None

    def _pdf(self) -> Problem | None:
        if _PDF_ENDS not in self._tail[-PDF_TAIL_BYTES:]:
            return Problem(PDF_CUT)
        if self._encrypted:
            return Problem(PDF_ENCRYPTED)
        return Problem(PDF_ACTIVE) if self._active else None


def kind_of(begins: bytes, claimed: str) -> MediaType | Problem:
    """What a file that begins so is; the rule that refuses it where that is nothing that is taken, or not what was
    claimed. Browsers claim `application/octet-stream` where they know no better."""
    if begins.startswith(_PACKED):
        return Problem(PACKED)
    kind = next((kind for start, kind in _BEGINS if begins.startswith(start)), None)
    if kind is None:
        return Problem(NOT_TAKEN)
    return kind if claimed in (kind, *UNCLAIMED) else Problem(DIFFERS)


def _image(size: tuple[int, int] | None) -> Problem | None:
    if size is None or 0 in size:
        return Problem(IMAGE_BROKEN)
    return Problem(IMAGE_LARGE) if size[0] * size[1] > PIXELS_AT_MOST else None


def _png(head: bytes, tail: bytes) -> tuple[int, int] | None:
    """Width and height in pixels (PNG, section 11.2.2); None where it does not begin and end as one."""
    if head[8:16] != b"\x00\x00\x00\rIHDR" or len(head) < 24 or _PNG_ENDS not in tail[-PDF_TAIL_BYTES:]:
        return None
    return int.from_bytes(head[16:20]), int.from_bytes(head[20:24])


def _jpeg(head: bytes) -> tuple[int, int] | None:
    """Width and height in pixels by its first frame (ITU-T T.81, B.2.2); None where none comes before the picture."""
    at = 2
    while at + 9 <= len(head) and head[at] == 0xFF:
        marker = head[at + 1]
        if marker == 0xFF or marker in _WITHOUT_LENGTH:
            at += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(head[at + 2 : at + 4])
        if marker in _SIZES:
            return int.from_bytes(head[at + 7 : at + 9]), int.from_bytes(head[at + 5 : at + 7])
        if marker in (0xD9, 0xDA) or length < 2:
            return None
        at += 2 + length
    return None
