"""
Tests for L{groundwork.site}: limits on what a client sends, and no trace of it in a log.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import Request

from groundwork.listening import listening
from groundwork.site import TOO_LARGE, BoundedRequest, BoundedSite
from tests.memorysocket import Collector, MemoryReactor


class Upload(Resource):
    """
    Takes uploads, and remembers them.
    """

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.uploads: list[bytes] = []
        self.seen: list[str] = []
        self.args: list[dict[bytes, list[bytes]]] = []

    def render_POST(self, request: Request) -> bytes:
        assert request.content is not None
        self.uploads.append(request.content.read())
        self.seen.append(repr(request))
        self.args.append(dict(request.args or {}))
        return b"taken"

    def render_GET(self, request: Request) -> bytes:
        raise RuntimeError("canary-in-the-error")


class SiteTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = MemoryReactor()
        self.upload = Upload()
        self.site = BoundedSite(self.upload, self.clock, timeout=60.0)
        self.client = Collector()
        self.clock.connect(self.site.buildProtocol(None), self.client)

    def sends(self, *pieces: bytes) -> None:
        for piece in pieces:
            if not self.client.lost:
                self.client.transport.write(piece)
                self.clock.flush()

    def head(self, *lines: bytes) -> bytes:
        return b"\r\n".join([b"POST /?token=canary HTTP/1.1", b"Host: x", *lines, b"", b""])

    def test_body_up_to_the_limit(self) -> None:
        """
        1 MiB is taken, with its length told or in chunks.
        """
        body = b"x" * BoundedRequest.MOST

        self.sends(self.head(b"Content-Length: %d" % len(body)), body)
        self.sends(self.head(b"Transfer-Encoding: chunked"), b"%x\r\n" % len(body), body)
        self.sends(b"\r\n0\r\n\r\n")

        self.assertEqual([len(upload) for upload in self.upload.uploads], [len(body)] * 2)

    def test_long_body_is_refused_at_once(self) -> None:
        """
        A length beyond the limit is answered before the body comes, and none of it is kept.
        """
        self.sends(self.head(b"Content-Length: %d" % (BoundedRequest.MOST + 1)), b"x" * 100)

        self.assertEqual(self.client.heard, TOO_LARGE)
        self.assertTrue(self.client.lost)
        self.assertEqual(self.upload.uploads, [])

    def test_long_chunked_body_is_refused(self) -> None:
        """
        The same when the limit is passed without notice.
        """
        self.sends(self.head(b"Transfer-Encoding: chunked"))
        self.sends(*[b"10000\r\n" + b"x" * 65536 + b"\r\n"] * 17, b"0\r\n\r\n")

        self.assertEqual(self.client.heard, TOO_LARGE)
        self.assertTrue(self.client.lost)
        self.assertEqual(self.upload.uploads, [])

    def test_forms_are_not_read(self) -> None:
        """
        A form arrives as the bytes it is, of either kind: reading a long one takes long.
        """
        part = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--\r\n'
        forms = (
            (b"application/x-www-form-urlencoded", b"a=b&token=other"),
            (b"multipart/form-data; boundary=x", part),
        )

        for kind, form in forms:
            length = b"Content-Length: %d" % len(form)
            self.sends(self.head(b"Content-Type: " + kind, length), form)

        self.assertEqual(self.upload.uploads, [form for _, form in forms])
        self.assertEqual(self.upload.args, [{b"token": [b"canary"]}] * 2)

    def test_refusal_tells_its_length(self) -> None:
        """
        The refusal is a whole answer.
        """
        head, _, body = TOO_LARGE.partition(b"\r\n\r\n")

        self.assertIn(b"Content-Length: %d\r\n" % len(body), head)

    def test_silent_connection_ends(self) -> None:
        """
        Who connects and says nothing is cut after a minute.
        """
        self.clock.pass_time(61)

        self.assertTrue(self.client.lost)

    def test_request_in_a_log_has_no_url(self) -> None:
        """
        What opens a console is not in what twisted.web logs of a request.
        """
        self.sends(self.head(b"Content-Length: 0"))

        self.assertNotIn("canary", self.upload.seen[0])

    def test_error_tells_the_client_nothing(self) -> None:
        """
        A mistake of ours is a 500 without the traceback.
        """
        self.sends(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")

        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertIn(b" 500 ", self.client.heard)
        self.assertNotIn(b"canary", self.client.heard)


class ListeningTests(SynchronousTestCase):
    def test_endpoints_that_cant_be_used(self) -> None:
        """
        A kind, a number, a word or a file that is none: a sentence that repeats what was given.
        """
        site = BoundedSite(Upload(), MemoryReactor())
        junk = self.mktemp()
        with open(junk, "w") as file:
            file.write("no certificate")
        for endpoint in (
            "smoke:1",
            "tcp:many",
            "tcp:8080:colour=blue",
            "ssl:8443:privateKey=/nonexistent/key.pem:certKey=/nonexistent/cert.pem",
            f"ssl:8443:privateKey={junk}:certKey={junk}",
        ):
            with self.assertRaises(ValueError) as caught:
                listening(endpoint, site)
            self.assertTrue(str(caught.exception).startswith(f"--listen {endpoint}: "), endpoint)
