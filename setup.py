"""
Builds the terminal's page on the way into a wheel or an sdist.

Everything else about the package stands in C{setup.cfg}.  The page
(C{ajaxterm/page/}) is JavaScript, put together by npm; what has been built
is shipped, so who installs a wheel or an sdist needs no Node.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist
from setuptools.errors import SetupError

ROOT = Path(__file__).resolve().parent
PAGE = ROOT / "ajaxterm" / "page"
BUILT = PAGE / "built" / "index.html"
#: An sdist has it, a checkout has not.
UNPACKED = ROOT / "PKG-INFO"


def is_built() -> bool:
    """
    Whether the page is there, and not older than what it is made of.  In an
    sdist it can't be older, whatever the times of unpacked files say.
    """
    if not BUILT.exists():
        return False
    if UNPACKED.exists():
        return True
    sources = [*PAGE.glob("*.mjs"), *PAGE.glob("package*.json"), *PAGE.glob("src/*")]
    return all(source.stat().st_mtime <= BUILT.stat().st_mtime for source in sources)


def build_page() -> None:
    if is_built():
        return
    npm = shutil.which("npm")
    if npm is None:
        raise SetupError(
            "ajaxterm's page has to be built first, and npm is not here: install Node.js 18 or"
            " newer with npm, or install from a wheel or an sdist, which have the page built."
        )
    for command in ([npm, "ci"], [npm, "run", "build"]):
        try:
            subprocess.run(command, cwd=PAGE, check=True)
        except subprocess.CalledProcessError as failure:
            raise SetupError(
                f"ajaxterm's page could not be built: {' '.join(command[1:])!r} in {PAGE} failed"
                f" with status {failure.returncode}; its own words are above."
            ) from failure


class BuildPyAndPage(build_py):
    """
    An editable install uses the checkout as it is, and leaves the page to
    C{make}.
    """

    def run(self) -> None:
        if not self.editable_mode:
            build_page()
            # What files there are may have been asked before there were any.
            self.__dict__.pop("data_files", None)
        super().run()


class SdistAndPage(sdist):
    def run(self) -> None:
        build_page()
        super().run()


setup(cmdclass={"build_py": BuildPyAndPage, "sdist": SdistAndPage})
