"""Which names a server answers to, so that no web page makes itself one of its pages.

Against DNS rebinding: a page of ``evil.example`` whose name suddenly leads to this machine is, for the browser and
for the rule of origins, a page that this server delivered. Only the ``Host`` it sends tells. Addresses cannot be
made to lead elsewhere, names can. Immutable, any thread. Where somebody else listens (WSGI), names are theirs to
check.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from pylon_core.errors import PylonError
from pylon_http import Request, Response
from pylon_runtime.http_handler import BegunAnswer, Handler, Takeover

ANY = "*"
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([0-9a-z._-]+))(?::[0-9]{0,5})?", re.ASCII | re.IGNORECASE)


def host_name(text: str) -> str:
    """A name or address as one lists it, in lower case; else ``ValueError``."""
    name = _name(text)
    if name is None or text.lower() not in (name, f"[{name}]"):
        raise ValueError(f"{text!r} is not a host; expected a name or an address, without scheme and port")
    return name


def is_this_machine(name: str) -> bool:
    """Whether it leads to this machine for whoever asks. Browsers do not look ``*.localhost`` up."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = _address(name)
    return address is not None and address.is_loopback


@dataclass(frozen=True)
class HostRule:
    """``bound`` is the address the server listens on; behind one that stands for all, every address is its own."""

    listed: frozenset[str]
    bound: str

    @classmethod
    def of(cls, hosts: Iterable[str], bound: str) -> "HostRule":
        return cls(frozenset(hosts), bound.lower())

    @property
    def is_open(self) -> bool:
        return ANY in self.listed

    def allows(self, host: str | None) -> bool:
        """``host`` is a request's ``Host``. Browsers always send one; who sends none is no browser."""
        if host is None or self.is_open:
            return True
        name = _name(host)
        if name is None:
            return False
        if name in self.listed or name == self.bound or is_this_machine(name):
            return True
        address, bound = _address(name), _address(self.bound)
        return address is not None and bound is not None and (bound.is_unspecified or address == bound)

    def check(self, request: Request) -> None:
        """Raises FORBIDDEN."""
        if not self.allows(request.headers.get("host")):
            raise PylonError(
                "FORBIDDEN",
                "This server does not go by the host name of this request.",
                hint="If the name is one of its own, add it to PYLON_ALLOWED_HOSTS.",
            )

    def before(self, answer: Handler) -> Handler:
        """``answer``, but for requests for others."""
        if self.is_open:
            return answer

        def guarded(request: Request) -> Response | BegunAnswer | Takeover:
            try:
                self.check(request)
            except PylonError as refusal:
                return Response.error(refusal)
            return answer(request)

        return guarded


def _name(host: str) -> str | None:
    """Without brackets and port; ``None`` for what is no host."""
    found = _HOST.fullmatch(host)
    return None if found is None else (found[1] or found[2]).lower()


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None
