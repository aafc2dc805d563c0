"""Azurite as a company has its account: over HTTPS, opened by who signs in with a token, and by no key.

With ``--oauth basic`` it looks at what a token says and not at who signed it, so tests can make their own.
"""

from __future__ import annotations

import datetime
import ipaddress
import time
from pathlib import Path
from typing import Any

from mlsteps.cli.azurite import Azurite
from mlsteps.data.stores.azure_account import AzureAccount
from servers.azurite import QUICK

_TENANT = "11111111-2222-3333-4444-555555555555"
_WHO = "66666666-7777-8888-9999-000000000000"


class HttpsAzurite(Azurite):
    """See above.

    :param folder: For what it holds, its certificate, and that one's key.
    """

    scheme = "https"

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.certificate, key = make_certificate(folder)
        super().__init__(
            folder, options=("--oauth", "basic", "--cert", str(self.certificate), "--key", str(key))
        )

    def account(self) -> AzureAccount:
        """Its account, opened by a token."""
        from azure.storage.blob import BlobServiceClient

        return AzureAccount(
            lambda options: BlobServiceClient(self.url, credential=SelfMadeToken(), **options),
            "who signed in",
            QUICK,
        )


class SelfMadeToken:
    """A credential as of ``azure.identity``, for what does not ask who signed a token."""

    def get_token(self, *scopes: str, **_: Any) -> Any:
        """A token for an hour."""
        import jwt
        from azure.core.credentials import AccessToken

        now = int(time.time())
        claims = {
            "iss": f"https://sts.windows.net/{_TENANT}/",
            "aud": "https://storage.azure.com",
            "nbf": now - 60,
            "iat": now - 60,
            "exp": now + 3600,
            "oid": _WHO,
            "tid": _TENANT,
        }
        return AccessToken(
            jwt.encode(claims, "nobody checks this signature, it is long", "HS256"), now + 3600
        )


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for this machine's loopback address, signed by itself; and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate, private
