"""
A tiny real guest: Debian's cloud kernel and busybox, with a login prompt on
every serial line it has.

It is built once, under C{/var/cache/ajaxconsole-demo}, where QEMU's user can read it:

  - C{kernel-VERSION/}: C{vmlinuz} and a few modules out of Debian's package, which
    is downloaded and unpacked, never installed;
  - C{initramfs-HASH}: named by its content, so that a changed recipe is a new file.

Its hostname is the domain's name, so guests tell themselves apart.  It has no
disk and no network, and keeps nothing.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from demo.libvirtd import PrivateLibvirt

USER = "root"
PASSWORD = "console"

CACHE = Path("/var/cache/ajaxconsole-demo")
_KERNEL_PACKAGE = "linux-image-cloud-amd64"
_BUSYBOX = Path("/bin/busybox")
# Emulated, the first three take a fifth of the time to the prompt; without the last, a busy
# machine makes a guest panic: "IO-APIC + timer doesn't work!" (under KVM it does not look either).
_ARGUMENTS = "mitigations=off nokaslr cryptomgr.notests no_timer_check"

# In the order in which the guest loads them: the virtio console, the power button.
_MODULES = {
    "button": ["button", "evdev"],
    "hvc": [
        "virtio_ring",
        "virtio",
        "virtio_pci_legacy_dev",
        "virtio_pci_modern_dev",
        "virtio_pci",
        "virtio_console",
    ],
}

_FILES = {
    # The first process: finds out which lines there are, and becomes busybox's init.
    "init": """\
#!/bin/sh
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
mount -t devtmpfs dev /dev
mkdir -p /dev/pts
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devpts devpts /dev/pts

# Emulated, each new process takes 30 ms, so this makes few.
#
# The kernel makes ttyS0 to ttyS3 whether they exist or not; type 0 does not.
lines=
for line in ttyS0 ttyS1 ttyS2 ttyS3; do
    read type < /sys/class/tty/$line/type && [ $type != 0 ] && lines="$lines $line"
done
for device in /sys/bus/pci/devices/*; do
    read vendor < $device/vendor
    if [ $vendor = 0x1af4 ] && [ ! -e /sys/class/tty/hvc0 ]; then
        for module in /modules/hvc/*; do insmod $module; done
        for try in 1 2 3 4 5 6 7 8 9 10; do
            [ -e /sys/class/tty/hvc0 ] && break
            usleep 50000
        done
        lines="$lines hvc0"
    fi
done
for line in $lines; do
    echo "$line::respawn:/sbin/getty -L 115200 $line xterm-256color"
done >> /etc/inittab
exec /sbin/init
""",
    "etc/inittab": """\
::once:/etc/power-button
::ctrlaltdel:/sbin/reboot
::restart:/sbin/init
""",
    "etc/power-button": """\
#!/bin/sh
for module in /modules/button/*; do insmod $module; done
exec acpid -f -l /dev/null
""",
    "etc/acpi/PWRF/00000080": "#!/bin/sh\nexec poweroff\n",
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "etc/group": "root:x:0:\n",
    # "console", as md5: this guest has nothing to protect and a slow processor.
    "etc/shadow": "root:$1$console$LFjtrq0eOnVXQ3EJWuDtK/:19000:0:99999:7:::\n",
    "etc/profile": """\
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
export PS1='\\u@\\h:\\w\\$ '
""",
    "etc/issue": "\nThe demo guest of ajaxconsole\n\n",
}


class GuestFailed(Exception):
    """
    A guest could not be built; the message says why.
    """


@dataclass(frozen=True, slots=True)
class Image:
    """
    What a guest boots.
    """

    kernel: Path
    initramfs: Path


class Guest:
    """
    A domain on a L{PrivateLibvirt}, persistent: it exists while it is shut off,
    from L{define} or L{start} to L{undefine}, and ends with its libvirtd.

    Its methods block; see L{PrivateLibvirt}.
    """

    def __init__(
        self,
        libvirt: PrivateLibvirt,
        name: str,
        *,
        serials: int = 1,
        virtio_console: bool = False,
        devices: str | None = None,
        extra: str = "",
        log: Path | None = None,
        kernel_arguments: str = "quiet",
        memory: int = 96,
        identity: str | None = None,
    ) -> None:
        """
        @param serials: how many serial devices of type C{pty}; QEMU has at most four.
        @param virtio_console: whether there is a C{hvc0} too, of type C{pty}.
        @param devices: XML of all of its serial devices and consoles, instead of these.
        @param extra: XML of further devices.
        @param log: where QEMU shall write what the first serial device says;
            C{libvirt.shared} is a place for it.
        @param memory: MiB.
        @param identity: the UUID, for a guest which exists on two hosts.
        """
        self.libvirt = libvirt
        self.name = name
        self.uuid = identity or str(uuid.uuid4())
        self._devices = devices
        if devices is None:
            self._devices = _devices(serials, virtio_console, log)
        self._extra = extra
        self._kernel_arguments = kernel_arguments
        self._memory = memory
        self._defined = False

    def define(self) -> None:
        """
        Make the domain known, shut off.
        """
        with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
            file.write(self.xml())
            file.flush()
            self.libvirt.virsh("define", file.name)
        self._defined = True

    def start(self) -> None:
        if not self._defined:
            self.define()
        self.libvirt.virsh("start", self.uuid)

    def destroy(self) -> None:
        """
        Pull its plug.
        """
        self.libvirt.virsh("destroy", self.uuid)

    def shutdown(self) -> None:
        """
        Press its power button; it goes down in a second or two.
        """
        self.libvirt.virsh("shutdown", self.uuid, "--mode", "acpi")

    def reboot(self) -> None:
        """
        Press its power button, and have libvirt start it again in the same QEMU.
        """
        self.libvirt.virsh("reboot", self.uuid, "--mode", "acpi")

    def reset(self) -> None:
        """
        Press its reset button: the same QEMU, at once.
        """
        self.libvirt.virsh("reset", self.uuid)

    def undefine(self) -> None:
        self.libvirt.virsh("undefine", self.uuid)
        self._defined = False

    def state(self) -> str:
        """
        @return: C{running}, C{shut off} and so on, as C{virsh domstate} says.
        """
        return self.libvirt.virsh("domstate", self.uuid)

    def live_xml(self) -> str:
        return self.libvirt.virsh("dumpxml", self.uuid)

    def ptys(self) -> list[str]:
        """
        @return: C{/dev/pts/N} of every serial device of type C{pty}, then of every
            other console, in the order of the XML.  Only for a running guest.
        """
        devices = ElementTree.fromstring(self.live_xml()).iterfind("devices/*")
        paths: list[str] = []
        for device in devices:
            source = device.find("source")
            if device.tag in ("serial", "console") and source is not None:
                path = source.get("path", "")
                # The first console is the first serial device once more.
                if path.startswith("/dev/pts/") and path not in paths:
                    paths.append(path)
        return paths

    def pid(self) -> int:
        """
        @return: of its QEMU, while it runs.
        """
        pidfile = self.libvirt.directory / "run/libvirt/qemu" / f"{self.name}.pid"
        return int(pidfile.read_text())

    def xml(self) -> str:
        image = build()
        arguments = f"console=ttyS0 hostname={self.name} {_ARGUMENTS} {self._kernel_arguments}"
        return f"""\
<domain type='qemu'>
  <name>{escape(self.name)}</name>
  <uuid>{self.uuid}</uuid>
  <memory unit='MiB'>{self._memory}</memory>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>{image.kernel}</kernel>
    <initrd>{image.initramfs}</initrd>
    <cmdline>{escape(arguments)}</cmdline>
  </os>
  <features><acpi/></features>
  <devices>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
    <video><model type='none'/></video>
    {self._devices}
    {self._extra}
  </devices>
</domain>
"""


def _devices(serials: int, virtio_console: bool, log: Path | None) -> str:
    devices = []
    for port in range(serials):
        kept = f"<log file='{log}' append='off'/>" if log is not None and port == 0 else ""
        devices.append(f"<serial type='pty'>{kept}<target port='{port}'/></serial>")
    if virtio_console:
        devices.append("<console type='pty'><target type='virtio'/></console>")
    return "\n    ".join(devices)


def build() -> Image:
    """
    Build what is not built yet.  The first time downloads 27 MB; later it takes
    milliseconds.

    @raise GuestFailed: in words for the user.
    """
    CACHE.mkdir(mode=0o755, parents=True, exist_ok=True)
    kernel = _kernel()
    content = _cpio(_contents(kernel))
    initramfs = CACHE / f"initramfs-{hashlib.sha256(content).hexdigest()[:16]}"
    if not initramfs.exists():
        with tempfile.NamedTemporaryFile(dir=CACHE, delete=False) as file:
            file.write(content)
            os.fchmod(file.fileno(), 0o644)
        os.rename(file.name, initramfs)
    return Image(kernel / "vmlinuz", initramfs)


def _kernel() -> Path:
    """
    The one that is there; a newer one in Debian is no reason to download it.
    """
    for kernel in sorted(CACHE.glob("kernel-*")):
        return kernel
    package = _kernel_package()
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="building-") as temporary:
        building = Path(temporary)
        building.chmod(0o755)
        # As root without apt's own user, who may not write here.
        _command(["apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", package], building)
        (deb,) = building.glob("*.deb")
        _command(["dpkg-deb", "--extract", str(deb), "unpacked"], building)
        (vmlinuz,) = building.glob("unpacked/boot/vmlinuz-*")
        kernel = building / "kernel"
        kernel.mkdir()
        vmlinuz.rename(kernel / "vmlinuz")
        for name in (name for names in _MODULES.values() for name in names):
            for module in building.glob(f"unpacked/lib/modules/*/kernel/**/{name}.ko"):
                module.rename(kernel / module.name)
        for file in kernel.iterdir():
            file.chmod(0o644)
        done = CACHE / f"kernel-{vmlinuz.name.removeprefix('vmlinuz-')}"
        try:
            kernel.rename(done)
        except OSError:
            if not done.exists():  # Somebody else was quicker.
                raise
        return done


def _kernel_package() -> str:
    if _command(["dpkg", "--print-architecture"], CACHE).strip() != "amd64":
        raise GuestFailed("The demo's guest is built for amd64 machines only.")
    depends = _command(["apt-cache", "depends", _KERNEL_PACKAGE], CACHE)
    for line in depends.splitlines():
        if "Depends: linux-image-" in line:
            return line.split()[-1]
    raise GuestFailed(f"apt does not know {_KERNEL_PACKAGE}; run apt-get update first.")


def _command(argv: list[str], directory: Path) -> str:
    try:
        done = subprocess.run(argv, cwd=directory, capture_output=True, text=True, timeout=300)
    except (OSError, subprocess.TimeoutExpired) as failure:
        raise GuestFailed(f"{argv[0]}: {failure}") from failure
    if done.returncode != 0:
        raise GuestFailed(f"{' '.join(argv)} failed:\n{done.stderr.strip()}")
    return done.stdout


def _contents(kernel: Path) -> Iterator[tuple[str, int, bytes]]:
    """
    @return: path, mode and content of everything in the initramfs.
    """
    for directory in (
        *("bin", "dev", "etc", "etc/acpi", "etc/acpi/PWRF", "modules", "modules/button"),
        *("modules/hvc", "proc", "root", "sbin", "sys", "tmp", "usr", "usr/bin", "usr/sbin"),
    ):
        yield directory, 0o040755, b""
    yield "bin/busybox", 0o100755, _BUSYBOX.read_bytes()
    for applet in _command([str(_BUSYBOX), "--list-full"], CACHE).split():
        if applet != "bin/busybox" and "/" in applet:
            yield applet, 0o120777, b"/bin/busybox"
    for path, text in _FILES.items():
        mode = 0o100600 if path == "etc/shadow" else 0o100755 if text[0] == "#" else 0o100644
        yield path, mode, text.encode()
    for kind, names in _MODULES.items():
        for position, name in enumerate(names):
            module = kernel / f"{name}.ko"
            if module.exists():  # It may be built in.
                yield f"modules/{kind}/{position}-{name}.ko", 0o100644, module.read_bytes()


def _cpio(entries: Iterator[tuple[str, int, bytes]]) -> bytes:
    """
    The kernel's Documentation/driver-api/early-userspace/buffer-format.rst, C{070701}.
    """
    archive = bytearray()

    def pad() -> None:
        archive.extend(bytes(-len(archive) % 4))

    for number, (path, mode, content) in enumerate([*entries, ("TRAILER!!!", 0, b"")], 1):
        name = path.encode() + b"\0"
        fields = [number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0]
        archive += b"070701" + b"".join(b"%08X" % field for field in fields) + name
        pad()
        archive += content
        pad()
    return bytes(archive)
