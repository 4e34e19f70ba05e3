"""
Which API the command line asks, and as whom.

    flags               --url, --user, --password-file, --token-file, --os-cloud, --cacert
    the environment     AJAXCONSOLE_URL, _USER, _PASSWORD, _TOKEN, _CACERT; or OS_ENDPOINT,
                        OS_USERNAME, OS_PASSWORD, OS_TOKEN, OS_CACERT
    a file              ~/.config/ajaxconsole.toml with url, user, password, token, cacert
    clouds.yaml         the cloud of --os-cloud or OS_CLOUD

The first that names an address counts, as a whole, so that no password goes to
an address from elsewhere.  Without any it is this machine's own, C{http://127.0.0.1:8080/}.
"""

from __future__ import annotations

import stat
import tomllib
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ajaxconsole.outcome import USAGE, Problem

HERE = "http://127.0.0.1:8080/"

_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Account:
    """
    @ivar url: the API's root, ending with a slash.
    """

    url: str
    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    cacert: str = ""

    def headers(self) -> dict[str, str]:
        if self.token:
            return {"X-Auth-Token": self.token}
        if self.user:
            words = f"{self.user}:{self.password}".encode()
            return {"Authorization": f"Basic {b64encode(words).decode('ascii')}"}
        return {}


def find_account(flags: Mapping[str, Any], environment: Mapping[str, str], home: Path) -> Account:
    """
    @raise Problem: what is given can't be used.
    """
    cloud = flags.get("os_cloud") or ""
    if flags.get("url"):
        return _account(_from_flags(flags))
    if cloud:
        return _account(_from_cloud(cloud, home))
    for prefix, url in (("AJAXCONSOLE_", "URL"), ("OS_", "ENDPOINT")):
        if environment.get(prefix + url):
            user = "USERNAME" if prefix == "OS_" else "USER"
            names = {"url": url, "user": user, "password": "PASSWORD", "token": "TOKEN"}
            found = {k: environment.get(prefix + name, "") for k, name in names.items()}
            found["cacert"] = environment.get(f"{prefix}CACERT", "")
            return _account({**found, **_given(flags)})
    file = home / ".config/ajaxconsole.toml"
    if file.exists():
        return _account({**_from_file(file), **_given(flags)})
    if environment.get("OS_CLOUD"):
        return _account(_from_cloud(environment["OS_CLOUD"], home))
    return _account({"url": HERE, **_given(flags)})


def _given(flags: Mapping[str, Any]) -> dict[str, str]:
    return {key: value for key, value in _from_flags(flags).items() if value}


def _from_flags(flags: Mapping[str, Any]) -> dict[str, str]:
    found = {key: flags.get(key) or "" for key in ("url", "user", "cacert")}
    for key in ("password", "token"):
        path = flags.get(f"{key}_file")
        if path:
            found[key] = _read(Path(path)).splitlines()[0].strip() if _read(Path(path)) else ""
    return found


def _from_file(file: Path) -> dict[str, str]:
    text = _read(file)
    try:
        read = tomllib.loads(text)
    except ValueError as error:
        raise Problem(USAGE, f"{file} is not TOML: {error}") from None
    known = ("url", "user", "password", "token", "cacert")
    strange = set(read) - set(known)
    if strange or not all(isinstance(value, str) for value in read.values()):
        raise Problem(USAGE, f"{file} holds texts named {', '.join(known)}, and nothing else")
    if (read.get("password") or read.get("token")) and file.stat().st_mode & (
        stat.S_IRWXG | stat.S_IRWXO
    ):
        raise Problem(USAGE, f"{file} holds a secret and others may read it; do: chmod 600 {file}")
    return {"url": HERE, **read}


def _from_cloud(name: str, home: Path) -> dict[str, str]:
    try:
        import yaml  # type: ignore[import-untyped]
    except ImportError:
        raise Problem(USAGE, "clouds.yaml needs PyYAML: pip install pyyaml") from None
    places = (Path("clouds.yaml"), home / ".config/openstack/clouds.yaml")
    for place in (*places, Path("/etc/openstack/clouds.yaml")):
        if not place.exists():
            continue
        try:
            clouds = (yaml.safe_load(_read(place)) or {}).get("clouds", {})
            cloud = clouds[name]
            auth = cloud.get("auth", {})
        except KeyError:
            continue
        except (yaml.YAMLError, AttributeError, TypeError):
            raise Problem(USAGE, f"{place} can't be understood") from None
        url = (
            auth.get("endpoint") or cloud.get("endpoint") or cloud.get("compute_endpoint_override")
        )
        if not url:
            raise Problem(USAGE, f"the cloud {name} in {place} has no endpoint in its auth")
        return {
            "url": str(url),
            "user": str(auth.get("username") or ""),
            "password": str(auth.get("password") or ""),
            "token": str(auth.get("token") or ""),
            "cacert": str(cloud.get("cacert") or ""),
        }
    raise Problem(USAGE, f"no clouds.yaml has a cloud named {name}")


def _account(found: Mapping[str, str]) -> Account:
    url = found["url"]
    # What OpenStack's clients are given ends in the version.
    for version in ("v2.1", "v1.1"):
        url = url.rstrip("/").removesuffix(f"/{version}")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise Problem(
            USAGE, f"the address is written http://HOST:PORT/ or https://HOST/, not {url}"
        )
    words = {key: found.get(key, "") for key in ("user", "password", "token", "cacert")}
    return Account(f"{url}/", **words)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode("utf-8")
    except OSError as error:
        raise Problem(USAGE, f"{path} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Problem(USAGE, f"{path} is not UTF-8") from None
