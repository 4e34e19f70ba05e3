"""
The versions of OpenStack's API: the documents, and microversions.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.consoleapi.world import FakeHost, World, domain


class VersionTests(SynchronousTestCase):
    """
    What a client asks before anything else, without saying who it is.
    """

    def setUp(self) -> None:
        self.world = World(users={"ann": "right"})

    def test_root_lists_versions(self) -> None:
        answer = self.world.get("/", headers={"Accept": "application/json"})

        (version,) = answer.json["versions"]
        self.assertEqual(
            (version["id"], version["status"], version["min_version"], version["version"]),
            ("v2.1", "CURRENT", "2.1", "2.90"),
        )
        self.assertEqual(answer.header("Vary"), "Accept")

    def test_document_is_the_same_with_and_without_a_slash(self) -> None:
        """
        A redirect in between would cost clients their microversions.
        """
        without, with_slash = self.world.get("/v2.1"), self.world.get("/v2.1/")

        self.assertEqual((without.status, with_slash.status), (200, 200))
        self.assertEqual(without.json, with_slash.json)
        self.assertEqual(without.json["version"]["id"], "v2.1")

    def test_links_are_under_the_name_that_was_used(self) -> None:
        answer = self.world.get("https://api.example:8774/v2.1/")

        (link,) = answer.json["version"]["links"]
        self.assertEqual(link, {"rel": "self", "href": "https://api.example:8774/v2.1/"})

    def test_links_are_below_the_prefix_that_browsers_see(self) -> None:
        world = World(base_path="/consoles/")

        answer = world.get("/v2.1/")

        (link,) = answer.json["version"]["links"]
        self.assertEqual(link["href"], "http://127.0.0.1/consoles/v2.1/")

    def test_documents_are_read_only(self) -> None:
        answers = [self.world.post(path, {}) for path in ("/", "/v2.1", "/v2.1/")]

        self.assertEqual([answer.status for answer in answers], [405, 405, 405])
        self.assertEqual(answers[0].header("Allow"), "GET, HEAD")

    def test_head_has_the_length_and_no_body(self) -> None:
        answer = self.world.ask("HEAD", "/v2.1/")

        self.assertEqual((answer.status, answer.body), (200, b""))


class MicroversionTests(SynchronousTestCase):
    """
    Both of nova's headers, and what an answer says.
    """

    def setUp(self) -> None:
        self.world = World()
        FakeHost(self.world, "h1", domain(1, "web1"))
        self.world.start()

    def chosen(self, **headers: str) -> str | None:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.world.get("/v2.1/servers", headers=given)
        self.assertEqual(
            answer.header("Vary"), "OpenStack-API-Version, X-OpenStack-Nova-API-Version"
        )
        version = answer.header("X-OpenStack-Nova-API-Version")
        self.assertEqual(answer.header("OpenStack-API-Version"), f"compute {version}")
        return version

    def test_oldest_is_meant_where_none_is_named(self) -> None:
        self.assertEqual(self.chosen(), "2.1")

    def test_newer_header(self) -> None:
        self.assertEqual(self.chosen(OpenStack_API_Version="compute 2.6"), "2.6")

    def test_newer_header_for_several_services(self) -> None:
        self.assertEqual(self.chosen(OpenStack_API_Version="identity 3.1, compute 2.8"), "2.8")

    def test_older_header(self) -> None:
        self.assertEqual(self.chosen(X_OpenStack_Nova_API_Version="2.5"), "2.5")

    def test_newer_header_wins(self) -> None:
        version = self.chosen(
            OpenStack_API_Version="compute 2.7", X_OpenStack_Nova_API_Version="2.5"
        )

        self.assertEqual(version, "2.7")

    def test_header_for_other_services_means_nothing(self) -> None:
        self.assertEqual(self.chosen(OpenStack_API_Version="volume 3.59"), "2.1")

    def test_latest(self) -> None:
        self.assertEqual(self.chosen(OpenStack_API_Version="compute latest"), "2.90")

    def test_too_new_or_too_old_is_not_acceptable(self) -> None:
        for version in ("2.91", "2.0", "3.0", "1.1"):
            answer = self.world.get(
                "/v2.1/servers", headers={"OpenStack-API-Version": f"compute {version}"}
            )

            self.assertEqual(answer.status, 406)
            self.assertIn(f"Version {version} is not supported", answer.message)

    def test_garbage_is_a_bad_request(self) -> None:
        for version in ("2", "two", "2.", "2.1.1", "-2.1", "2.01", "", "9" * 100 + ".1"):
            answer = self.world.get(
                "/v2.1/servers", headers={"OpenStack-API-Version": f"compute {version}"}
            )

            self.assertEqual(answer.status, 400, version)
            self.assertIn("invalid format", answer.message)
