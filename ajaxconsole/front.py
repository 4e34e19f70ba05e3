"""
One port for proxy and API: who answers which path.
"""

from __future__ import annotations

from twisted.web.resource import IResource, Resource
from twisted.web.server import Request


class Front(Resource):
    """
    C{/?token=...} and C{/console/...} are the proxy's, everything else the API's.
    """

    isLeaf = True

    def __init__(self, api: IResource, proxy: IResource) -> None:
        super().__init__()
        self._api = api
        self._proxy = proxy

    def render(self, request: Request) -> bytes | int:
        path = request.path
        is_token = path == b"/" and b"token" in (request.args or {})
        resource = self._proxy if is_token or path.startswith(b"/console/") else self._api
        answered: bytes | int = resource.render(request)
        return answered
