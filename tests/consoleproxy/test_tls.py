"""
Tests of the proxy under TLS, on real sockets.
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import os
import random
import signal
import socket
import ssl
from pathlib import Path
from threading import Event, Thread

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet.threads import deferToThread

from groundwork.listening import listening
from tests.consoleproxy.realproxy import PATIENCE, RealProxyTestCase, a_moment, until
from tests.consoleproxy.sockets import ASKED
from tests.consoleproxy.stage import TOKEN


def certify(folder: Path, name: str) -> None:
    """
    Put a new key and a certificate for it into C{folder}.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(called)
        .issuer_name(called)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(pem, *private))
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(pem))


def name_in(certificate: bytes | None) -> str:
    assert certificate is not None
    [name] = x509.load_der_x509_certificate(certificate).subject
    return str(name.value)


class TlsTestCase(RealProxyTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        certify(self.folder, "first")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.tls_port = free.getsockname()[1]
        files = f"certKey={self.folder}/certificate.pem:privateKey={self.folder}/key.pem"
        endpoint = f"ssl:{self.tls_port}:interface=127.0.0.1:{files}"
        self.served = listening(endpoint, self.site)
        self.served.startService()

    async def tearDown(self) -> None:
        await super().tearDown()
        await self.served.stopService()

    def renew(self) -> None:
        for each in self.served:
            each.renew()

    def connect(self, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
        if context is None:
            context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        plain = socket.create_connection(("127.0.0.1", self.tls_port), PATIENCE)
        self.ends.append(plain)
        browser = context.wrap_socket(plain)
        self.ends.append(browser)
        return browser

    def open(self) -> tuple[ssl.SSLSocket, socket.socket]:
        """
        Both ends of an open WebSocket.
        """
        browser = self.connect()
        browser.sendall(f"GET /?token={TOKEN} HTTP/1.1\r\n{ASKED}\r\n".encode())
        backend = self.accept()
        until(browser, b"\r\n\r\n")
        return browser, backend


class TlsTests(TlsTestCase):
    """
    What is said under TLS arrives as it is said in plain, and is waited for likewise.
    """

    async def test_versions(self) -> None:
        """
        1.2 and 1.3 are spoken, nothing older.
        """

        def try_all() -> None:
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                context = ssl.create_default_context()
                context.minimum_version = context.maximum_version = version
                self.assertEqual(self.connect(context).version(), version.name.replace("_", "."))
            for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
                context = ssl.create_default_context()
                context.set_ciphers("ALL:@SECLEVEL=0")
                context.minimum_version = context.maximum_version = version
                self.assertRaises(ssl.SSLError, self.connect, context)

        await deferToThread(try_all)

    async def test_several_requests(self) -> None:
        """
        A connection serves one request after another.
        """

        def ask() -> None:
            browser = self.connect()
            for _ in range(3):
                browser.sendall(b"GET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
                self.assertIn(b"HTTP/1.1 404 ", until(browser, b"</html>\n"))

        await deferToThread(ask)

    async def test_cookie(self) -> None:
        """
        The cookie is one that no page without TLS can set.
        """

        def ask() -> bytes:
            browser = self.connect()
            browser.sendall(f"GET /?token={TOKEN} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            return until(browser, b"\r\n\r\n")

        answer = await deferToThread(ask)

        self.assertIn(b"Set-Cookie: __Secure-", answer)
        self.assertIn(b"; Secure", answer)

    async def test_slow_browser(self) -> None:
        """
        A browser that does not read stops its console; then it gets every byte.
        """
        length = 24 << 20
        text = random.Random(1).randbytes(length)

        def talk() -> tuple[int, bytes]:
            browser, backend = self.open()
            backend.settimeout(0.5)
            sent = 0
            try:
                while sent < length:
                    sent += backend.send(text[sent : sent + 65536])
            except TimeoutError:
                pass
            backend.settimeout(PATIENCE)
            rest = Thread(target=backend.sendall, args=(text[sent:],), daemon=True)
            rest.start()
            digest, left = hashlib.sha256(), length
            while left:
                piece = browser.recv(min(left, 65536))
                self.assertTrue(piece)
                digest.update(piece)
                left -= len(piece)
            rest.join()
            return sent, digest.digest()

        sent, digest = await deferToThread(talk)

        self.assertLess(sent, length - (4 << 20))
        self.assertEqual(digest, hashlib.sha256(text).digest())

    async def test_ends(self) -> None:
        """
        A console's end is the browser's end, and the other way round.
        """

        def talk() -> None:
            browser, backend = self.open()
            backend.sendall(b"bye")
            backend.close()
            self.assertEqual(until(browser, b"bye"), b"bye")
            self.assertEqual(browser.recv(1), b"")
            browser, backend = self.open()
            browser.sendall(b"bye")
            browser.close()
            self.assertEqual(until(backend, b"bye"), b"bye")
            self.assertEqual(backend.recv(1), b"")

        await deferToThread(talk)


class RenewalTests(TlsTestCase):
    """
    A certificate is replaced while everything goes on.
    """

    timeout = 120.0

    def setUp(self) -> None:
        # Not who was left behind by other tests.
        self.addCleanup(signal.signal, signal.SIGHUP, signal.signal(signal.SIGHUP, signal.SIG_DFL))
        super().setUp()

    def presented(self) -> str:
        with self.connect() as browser:
            return name_in(browser.getpeercert(binary_form=True))

    async def test_under_load(self) -> None:
        """
        With keys and output on twenty WebSockets the certificate is replaced, again and again:
        whoever connects gets the new one, nobody loses a connection or a byte.
        """
        stop = Event()
        wrong: list[str] = []
        echoed = [0] * 20

        def serve(backend: socket.socket) -> None:
            with contextlib.suppress(OSError):  # it is closed when all is over
                while words := backend.recv(65536):
                    backend.sendall(words)

        def type_keys(number: int, browser: ssl.SSLSocket) -> None:
            dice = random.Random(number)
            try:
                while not stop.is_set():
                    words = dice.randbytes(dice.randrange(1, 5000))
                    browser.sendall(words)
                    heard = b""
                    while len(heard) < len(words):
                        piece = browser.recv(65536)
                        if not piece:
                            raise ConnectionError("it ended")
                        heard += piece
                    if heard != words:
                        raise ConnectionError("it said something else")
                    echoed[number] += 1
            except OSError as error:
                wrong.append(f"{number}: {error}")

        def open_all() -> list[Thread]:
            threads = []
            for number in range(20):
                browser, backend = self.open()
                for target, words in ((serve, (backend,)), (type_keys, (number, browser))):
                    threads.append(Thread(target=target, args=words, daemon=True))
                    threads[-1].start()
            return threads

        threads = await deferToThread(open_all)
        for name in ("second", "third", "fourth"):
            before = list(echoed)
            certify(self.folder, name)
            os.kill(os.getpid(), signal.SIGHUP)
            for _ in range(2000):
                await a_moment()
                if all(now > then for now, then in zip(echoed, before, strict=True)):
                    break
            self.assertEqual(await deferToThread(self.presented), name)
            self.assertTrue(
                all(now > then for now, then in zip(echoed, before, strict=True)), wrong
            )
        stop.set()
        for thread in threads[1::2]:
            await deferToThread(thread.join, PATIENCE)

        self.assertEqual(wrong, [])

    async def test_bad_certificate(self) -> None:
        """
        One that can't be used is said to be, and the one before stays.
        """
        key = (self.folder / "key.pem").read_bytes()
        certify(self.folder, "second")
        (self.folder / "key.pem").write_bytes(key)

        self.renew()
        (self.folder / "certificate.pem").unlink()
        self.renew()

        self.assertEqual(await deferToThread(self.presented), "first")

    async def test_stopped(self) -> None:
        """
        A service that is stopped leaves signals as they were.
        """
        during = signal.getsignal(signal.SIGHUP)

        await self.served.stopService()

        self.assertNotEqual(signal.getsignal(signal.SIGHUP), during)
        self.served.startService()
