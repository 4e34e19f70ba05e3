"""
A certificate authority of an hour.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class Authority:
    """
    @ivar certificate: the path of its own.
    """

    def __init__(self, folder: Path, name: str) -> None:
        """
        @param folder: for the files.
        """
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        public = self._key.public_key()
        self._made = self._builder(self._name, public, is_authority=True).sign(
            self._key, hashes.SHA256()
        )
        self.certificate = folder / f"{name}.pem"
        self.certificate.write_bytes(_pem(self._made))

    def issue(self, name: str) -> tuple[Path, Path]:
        """
        @return: the paths of a certificate, with its key behind it; and of the key alone.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.DNSName(name)])
        builder = self._builder(_name(name), key.public_key(), is_authority=False)
        certificate = builder.add_extension(names, critical=False).sign(self._key, hashes.SHA256())
        secret = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        both, alone = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        both.write_bytes(_pem(certificate) + secret)
        alone.write_bytes(secret)
        return both, alone

    def _builder(
        self, name: x509.Name, key: ec.EllipticCurvePublicKey, is_authority: bool
    ) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        constraints = x509.BasicConstraints(ca=is_authority, path_length=None)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(constraints, critical=True)
        )


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
