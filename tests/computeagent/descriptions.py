"""
Domain XML as libvirt writes it, for guests of every kind.
"""

from __future__ import annotations

UUID = "6b1b8f5e-9a58-4c5e-8a3a-1f1e5f3c2d10"

PTY = """
<serial type='pty'>
  <source path='/dev/pts/7'/><target type='isa-serial' port='0'/><alias name='serial0'/>
</serial>"""

MIRROR = """
<console type='pty' tty='/dev/pts/7'>
  <source path='/dev/pts/7'/><target type='serial' port='0'/><alias name='serial0'/>
</console>"""

VIRTIO = """
<console type='pty' tty='/dev/pts/9'>
  <source path='/dev/pts/9'/><target type='virtio' port='1'/><alias name='console1'/>
</console>"""

UNIX = """
<serial type='unix'>
  <source mode='bind' path='/run/guest.sock'/><target port='1'/><alias name='serial1'/>
</serial>"""

TCP = """
<serial type='tcp'>
  <source mode='bind' host='127.0.0.1' service='4555'/><protocol type='raw'/>
  <target port='2'/><alias name='serial2'/>
</serial>"""

NOVA = """
<metadata>
  <nova:instance xmlns:nova='http://openstack.org/xmlns/libvirt/nova/1.1'>
    <nova:owner>
      <nova:user uuid='u'>ann</nova:user><nova:project uuid='p1'>p</nova:project>
    </nova:owner>
  </nova:instance>
</metadata>"""


def domain_xml(devices: str = PTY + MIRROR, more: str = "", name: str = "web1") -> str:
    """
    A domain with these devices.
    """
    return (
        f"<domain type='kvm' id='3'><name>{name}</name><uuid>{UUID}</uuid>{more}"
        f"<devices>{devices}</devices></domain>"
    )
