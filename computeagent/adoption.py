"""
Going on with the consoles of an agent that died, or was stopped to be started anew.

Their terminals and socats have served their viewers meanwhile.  Each room says who that
is (L{computeagent.kept}), and may be believed, since nobody else can write there; a
process is held by pidfd, and must have started when it says.  So a console is adopted
whole: its terminal answers, its socat is known, its grants are there again.  Or else what
is left of it is ended, with a word to its viewers.

The guest's device is not opened here: where that is only libvirt knows, and it may be away
now (L{computeagent.guestline}).
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred, DeferredList, TimeoutError
from twisted.logger import Logger

from computeagent.consoles import Consoles
from computeagent.grants import Grants
from computeagent.kept import Kept, Unadoptable, read_kept
from computeagent.orders import OrderFailed, TerminalGone
from computeagent.rooms import Room
from computeagent.sweeping import sweep

_log = Logger()


async def adopt(rooms: Sequence[Room], consoles: Consoles, grants: Grants) -> None:
    """
    @param rooms: those that were left.
    """
    unfit: list[Room] = []
    fit: dict[tuple[str, str], tuple[Room, Kept]] = {}
    for room in rooms:
        try:
            kept = read_kept(room)
            key = (kept.place.uuid, kept.place.device)
            if key in fit:
                raise Unadoptable("there is another one on that device")
        except Unadoptable as why:
            _log.warn("Console {console} is ended: {why}", console=room.path.name, why=why)
            unfit.append(room)
        else:
            fit[key] = room, kept
    adopting = [
        Deferred.fromCoroutine(_adopt(room, kept, consoles, grants)) for room, kept in fit.values()
    ]
    for (room, _), (_, is_adopted) in zip(fit.values(), await DeferredList(adopting), strict=True):
        if not is_adopted:
            unfit.append(room)
    if unfit:
        for room in unfit:
            grants.ended(room)
        sweep(unfit)


async def _adopt(room: Room, kept: Kept, consoles: Consoles, grants: Grants) -> bool:
    try:
        console, alive = await consoles.adopt(room, kept)
    except TerminalGone:
        _log.info("Console {title} has ended meanwhile", title=kept.place.title)
    except (OrderFailed, TimeoutError, OSError) as error:
        why = str(error) or "its terminal does not answer"
        _log.warn("Console {title} is ended: {why}", title=kept.place.title, why=why)
    except Exception:
        _log.failure("while adopting {title}", title=kept.place.title)
    else:
        grants.adopt(console, alive)
        return True
    return False
