"""An OpenID issuer on this machine, so that each made-up person signs in as somebody else in both builds alike."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from joserfc.jwk import ECKey

from tests.bench.load.persons import KEY_ID
from tests.openid import openid_issuer


@contextmanager
def issuer(key: Path) -> Iterator[str]:
    """Its address; the private key lies in the file as PEM for whoever signs tokens."""
    made = ECKey.generate_key("P-256", parameters={"kid": KEY_ID})
    key.write_bytes(made.as_pem(private=True))
    with openid_issuer(made) as address:
        yield address
