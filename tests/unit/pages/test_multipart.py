"""A form with a file in it: what its heads say is decoded, and what cannot be is refused in words."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import Request

from shared.errors import Refusal
from shared.web.pages.multipart import SentFile, sent_file

TYPE = "multipart/form-data; boundary=b"
NUMBER = "9" * 5_000


async def read(disposition: str, content_type: str = TYPE) -> SentFile:
    body = f"--b\r\nContent-Disposition: form-data; {disposition}\r\n\r\n1\r\n--b--\r\n".encode()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(b"content-type", content_type.encode("latin-1"))]
    return await sent_file(Request({"type": "http", "method": "POST", "path": "/", "headers": headers}, receive))


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ('name="file"; filename="a.pdf"', "a.pdf"),
        ("name=file; filename*=utf-8''%C3%A9.pdf", "é.pdf"),
        ("name=file; filename*=unheard-of''a.pdf", "a.pdf"),
        ('name="file"; filename=""', ""),
    ],
)
async def test_the_name_of_a_file_is_decoded(said: str, name: str) -> None:
    assert (await read(said)).name == name


@pytest.mark.parametrize(
    "said",
    [
        "name=file; filename*=\0''a.pdf",
        "name=file; filename*=undefined''a.pdf",
        "name=file; filename*=unicode_escape''%5Cud800",
        "name=file; filename*0=a; filename*=utf-8''b",
        f"name=file; filename*{NUMBER}=a",
        "name*=\0''csrf",
        "name*=undefined''csrf",
    ],
)
async def test_a_head_that_cannot_be_decoded_is_refused(said: str) -> None:
    with pytest.raises(Refusal) as refused:
        await read(said)
    assert (refused.value.rule, refused.value.status) == ("form_malformed", 422)


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data; boundary*=\0''b",
        "multipart/form-data; boundary*=undefined''b",
        "multipart/form-data; boundary*=unicode_escape''%5Cud800",
        "multipart/form-data; boundary*0=b; boundary*=utf-8''b",
        f"multipart/form-data; boundary*{NUMBER}=b",
    ],
)
async def test_a_boundary_that_cannot_be_decoded_is_refused(content_type: str) -> None:
    with pytest.raises(Refusal) as refused:
        await read('name="file"; filename="a.pdf"', content_type)
    assert (refused.value.rule, refused.value.status) == ("form_malformed", 422)
