"""
A libvirtd of one's own, beside the machine's, which neither sees nor minds it.

It runs in a mount namespace in which C{/etc/libvirt}, C{/var/lib/libvirt} and
so on, and all of C{/run}, are directories under C{/tmp}: its state is apart, it finds no
D-Bus to register its guests at, and no cgroups.  It loads the QEMU driver only, so
it touches no network, firewall, storage or device.  C{/dev/kvm} is hidden
too: where it opens but does not work, libvirt probes it for 45 s at every start
(measured); and the guests are C{<domain type='qemu'>}.

From outside one speaks to it through L{PrivateLibvirt.uri}.  Its guests' QEMUs are
ordinary processes of the machine, and their terminals ordinary C{/dev/pts/N}.

It lives under a L{demo.keeper}, and ends with whoever started it.
"""

from __future__ import annotations

import pwd
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from demo.keeper import Keeper, alive, end

# A /dev/kvm that QEMU's user may open and that is none would be probed anew by every
# verb, for a second each; one he may not open is not asked again.
#
# Arguments: where our directories are, whether to hide /dev/kvm, then libvirtd.
# The machine may lack the directories that only libvirt-daemon-system brings.
_ENTER = """
own=$1; hide_kvm=$2; shift 2
for each in /etc /var/lib /var/cache /var/log; do
    mkdir -p "$each/libvirt"
    mount --bind "$own$each/libvirt" "$each/libvirt"
done
mount --bind "$own/run" /run
for each in passwd group; do
    if [ -e "$own/etc/$each" ]; then mount --bind "$own/etc/$each" "/etc/$each"; fi
done
umount --recursive --lazy /sys/fs/cgroup 2>/dev/null || true
if [ "$hide_kvm" = yes ] && [ -e /dev/kvm ]; then mount --bind "$own/no-kvm" /dev/kvm; fi
unset LISTEN_FDS LISTEN_PID NOTIFY_SOCKET
export LIBVIRT_DRIVER_DIR="$own/drivers"
exec "$@"
"""

_LIBVIRTD_CONF = """
unix_sock_rw_perms = "0700"
auth_unix_ro = "none"
auth_unix_rw = "none"
log_level = 3
log_outputs = "3:stderr"
max_clients = 200
"""

_QEMU_CONF = """
user = "{user}"
group = "{user}"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
namespaces = []
stdio_handler = "file"
"""


_QEMU_USER = "libvirt-qemu"
_QEMU_USER_NUMBER = 64055
"""
Debian's, made by libvirt-daemon-system, and the number that Debian keeps for it
(base-passwd, README).
"""


class LibvirtFailed(Exception):
    """
    libvirtd did not do what it was asked; the message says what it said.
    """


class PrivateLibvirt:
    """
    Every method blocks, for well under a second unless the machine is busy, and may
    be called from any thread, by one at a time.  As a context manager it is
    started and stopped.

    @ivar directory: everything of this libvirtd; gone after L{stop}.
    @ivar shared: a directory for QEMU's user, which has the same path inside and
        outside: for C{<serial type='unix'>} and C{<log file>}.
    @ivar pid: of the running libvirtd.
    """

    START_TIMEOUT = 30.0

    directory: Path
    pid: int | None = None

    def __init__(self, *, hide_kvm: bool = True) -> None:
        self._hide_kvm = hide_kvm
        self._keeper: Keeper | None = None

    @property
    def uri(self) -> str:
        return f"qemu:///system?socket={self._socket}"

    @property
    def shared(self) -> Path:
        return self.directory / "shared"

    def start(self) -> None:
        """
        Start libvirtd, the first time or after L{kill}; return when it answers.

        @raise LibvirtFailed: with the end of its log.
        """
        if self._keeper is None:
            self._keeper = Keeper("ajaxconsole-libvirt-")
            self.directory = self._keeper.directory
            _furnish(self.directory)
        if self.pid is not None and alive(self.pid):
            return
        hide_kvm = "yes" if self._hide_kvm else "no"
        enter = ["unshare", "--mount", "sh", "-ec", _ENTER, "sh", str(self.directory), hide_kvm]
        self.pid = self._keeper.run([*enter, "libvirtd"])
        self._wait_for_answer(self.pid)

    def stop(self) -> None:
        """
        End libvirtd and all of its guests, and remove everything of theirs.
        """
        keeper, self._keeper, self.pid = self._keeper, None, None
        if keeper is not None:
            keeper.end()

    def kill(self) -> None:
        """
        Kill libvirtd with -9.  Its guests go on.
        """
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """
        End libvirtd in an orderly way and start it anew.  Its guests go on.
        """
        self._end(signal.SIGTERM)
        self.start()

    def virsh(self, *words: str) -> str:
        """
        @return: what C{virsh} printed, without the blanks around it.
        @raise LibvirtFailed: with what it complained about.
        """
        done = subprocess.run(
            ["virsh", "-q", "-c", self.uri, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if done.returncode != 0:
            raise LibvirtFailed(f"virsh {words[0]}: {done.stderr.strip()}")
        return done.stdout.strip()

    def log_tail(self) -> str:
        """
        @return: the last lines of what libvirtd logged.
        """
        return "" if self._keeper is None else self._keeper.log_tail()

    def __enter__(self) -> PrivateLibvirt:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def _socket(self) -> Path:
        return self.directory / "run/libvirt/libvirt-sock"

    def _wait_for_answer(self, pid: int) -> None:
        deadline = time.monotonic() + self.START_TIMEOUT
        while not self._listening():
            if not alive(pid):
                raise LibvirtFailed(f"libvirtd ended at its start:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise LibvirtFailed(f"libvirtd does not answer:\n{self.log_tail()}")
            time.sleep(0.01)
        self.virsh("list")

    def _listening(self) -> bool:
        with socket.socket(socket.AF_UNIX) as trying:
            try:
                trying.connect(str(self._socket))
            except OSError:
                return False
            return True

    def _end(self, how: signal.Signals) -> None:
        pid, self.pid = self.pid, None
        if pid is not None:
            end(pid, how, patience=15)


def _furnish(own: Path) -> None:
    for name in ("etc/libvirt", "var/lib/libvirt", "var/cache/libvirt", "var/log/libvirt"):
        (own / name).mkdir(parents=True)
    for name in ("run", "drivers", "shared"):
        (own / name).mkdir()
    (own / "no-kvm").touch(0)
    user = _qemu_user()
    if user is None:
        user = _QEMU_USER_NUMBER
        _add_account(own, user)
    shutil.chown(own / "shared", user)
    (own / "etc/libvirt/libvirtd.conf").write_text(_LIBVIRTD_CONF)
    (own / "etc/libvirt/qemu.conf").write_text(_QEMU_CONF.format(user=f"+{user}"))
    for driver in Path("/usr/lib").glob("*/libvirt/connection-driver/libvirt_driver_qemu.so"):
        (own / "drivers" / driver.name).symlink_to(driver)


def _qemu_user() -> int | None:
    try:
        return pwd.getpwnam(_QEMU_USER).pw_uid
    except KeyError:
        return None


def _add_account(own: Path, number: int) -> None:
    """
    Have libvirtd, and nobody else, see QEMU's account, without which it does not start.
    """
    for name, line in (
        ("passwd", f"{_QEMU_USER}:x:{number}:{number}::/nonexistent:/usr/sbin/nologin\n"),
        ("group", f"{_QEMU_USER}:x:{number}:\n"),
    ):
        (own / "etc" / name).write_text(Path("/etc", name).read_text() + line)
