"""What a file may hold: looked at in its bytes, in parts of any size, and never unpacked."""

from __future__ import annotations

import random
import struct

import pytest

from services.registration.domain.file_content import (
    DIFFERS,
    IMAGE_BROKEN,
    IMAGE_LARGE,
    NOT_TAKEN,
    PACKED,
    PDF_ACTIVE,
    PDF_CUT,
    PDF_ENCRYPTED,
    Inspection,
)
from services.registration.domain.files import FILES_AT_MOST, documents_of
from shared.programmes.sections.selection import AskedDocument

CANARY = b"Qzcanary of a diploma"
PDF, JPEG, PNG = "application/pdf", "image/jpeg", "image/png"


def pdf(inside: bytes = CANARY, size: int = 0) -> bytes:
    begin, end = b"%PDF-1.7\n" + inside + b"\n", b"\nstartxref\n0\n%%EOF\n"
    filling = random.Random(5).randbytes(max(0, size - len(begin) - len(end)))
    return begin + filling + end


def png(width: int, height: int, end: bytes = b"\x00\x00\x00\x00IEND\xaeB`\x82") -> bytes:
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", width, height) + b"\x08\x02\x00\x00\x00" + end


def jpeg(width: int, height: int, before: bytes = b"") -> bytes:
    frame = b"\xff\xc0\x00\x11\x08" + struct.pack(">HH", height, width) + b"\x03" + bytes(9)
    return (
        b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(9) + before + frame + b"\xff\xda\x00\x08" + bytes(20) + b"\xff\xd9"
    )


def comment(size: int) -> bytes:
    return b"\xff\xfe" + struct.pack(">H", size) + bytes(size - 2)


@pytest.mark.parametrize(
    ("claimed", "content", "rule"),
    [
        (PDF, pdf(), None),
        (PNG, png(7000, 7000), None),
        (JPEG, jpeg(7000, 7000), None),
        (JPEG, jpeg(640, 480, comment(65_000) * 12), None),
        (PDF, b"PK\x03\x04" + bytes(100), PACKED),
        (PDF, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), PACKED),
        (PDF, b"{\\rtf1 }", PACKED),
        (PDF, pdf(size=300_000) + b"PK\x05\x06" + bytes(18) + b"%%EOF", PACKED),
        (JPEG, jpeg(640, 480) + b"PK\x05\x06" + bytes(18), PACKED),
        (PDF, b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]>", NOT_TAKEN),
        (PDF, b"MZ" + bytes(100), NOT_TAKEN),
        (PDF, b" " + pdf(), NOT_TAKEN),
        (PNG, pdf(), DIFFERS),
        (PDF, png(1, 1), DIFFERS),
        (PDF, b"%PDF-1.7\n" + bytes(5000), PDF_CUT),
        (PDF, pdf() + bytes(2000), PDF_CUT),
        (PDF, pdf(b"trailer << /Encrypt 5 0 R >>"), PDF_ENCRYPTED),
        (PDF, pdf(b"<< /S /JavaScript /JS (app.alert(1)) >>"), PDF_ACTIVE),
        (PDF, pdf(b"<< /S /J#61va#53cript >>"), PDF_ACTIVE),
        (PDF, pdf(b"<< /S /Launch /F (a.exe) >>"), PDF_ACTIVE),
        (PDF, pdf(b"<< /Type /EmbeddedFile >>"), PDF_ACTIVE),
        (PNG, png(7072, 7072), IMAGE_LARGE),
        (PNG, png(2**31 - 1, 2**31 - 1), IMAGE_LARGE),
        (JPEG, jpeg(65_500, 65_500), IMAGE_LARGE),
        (PNG, png(0, 10), IMAGE_BROKEN),
        (PNG, png(10, 10, b""), IMAGE_BROKEN),
        (JPEG, b"\xff\xd8\xff\xe0\x00\x10JFIF", IMAGE_BROKEN),
        (JPEG, b"\xff\xd8\xff\xda\x00\x08" + bytes(20), IMAGE_BROKEN),
    ],
)
def test_content_is_looked_at_in_parts_of_any_size(claimed: str, content: bytes, rule: str | None) -> None:
    for step in (len(content), 1_000, 37):
        inspection = Inspection(claimed)
        for at in range(0, len(content), step):
            inspection.take(content[at : at + step])
        found = inspection.refused()
        assert (found and found.rule) == rule, step


def test_what_is_requested_stands_once_among_the_documents_of_a_case() -> None:
    listed = [AskedDocument(code=one, name={"en": one}) for one in ("residence-permit", "cv")]
    requested = [AskedDocument(code=one, name={"en": one}) for one in ("transcript", "residence_permit")]
    found = documents_of(listed, requested)
    assert [(one.code, one.needed, one.most) for one in found] == [
        ("residence-permit", True, FILES_AT_MOST),
        ("cv", False, 1),
        ("transcript", True, FILES_AT_MOST),
    ]
    assert documents_of((), requested) == ()
