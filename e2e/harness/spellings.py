"""Spellings of an address, each a way that some server has read as that address."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

SLASHES = rb"""// /// /./ /%2e/ /%2E/ %2f %2F /%2f %2F/ %252f %252F \ %5c %5C /\ \/ %5c/ /; ;/ /;x/ /;x=1/ ;x=1/
    /%3b/ %3B/ /.; /.;/ /%09/ /%0a/ /%0d/ /%00/ %00/ /.%00/ /%20/ /%c0%af %c0%af %e0%80%af %f0%80%80%af %u002f %uff0f
    %ef%bc%8f %e2%88%95 %e2%81%84 %25%32%66 %%32%66 %2%66 %252e/ /%252e/ /~/ /#/ /?/ /*/ /:/ /@/ /|/""".split()
DETOURS = rb"""/x/.. /x/%2e%2e /x/%2E. /x/.%2E /x%2f.. /x/..%2f /x/..%5c /x/..\ /x\..\ /x/..; /x/..;y /x/..%3b /x/%2e%2e%3bz
    /x/%252e%252e /x/%25%32%65%25%32%65 /x/%c0%ae%c0%ae /x/%e0%80%ae%e0%80%ae /x/%uff0e%uff0e /x/%ef%bc%8e%ef%bc%8e /x/..%00 /x/..%20
    /x/..%09 /x/... /x/..../ /x/.../... /x/.. /. /%2e /.%2f /./. /.; /x//.. /x//../.. /x/y/../.. /x/y/..%2f.. /%2e%2e /..
    /x;/.. /x;/..;/ /x%3b/.. /;/.. /x/%2e%2e/ /x/..%2f/ /x/%2e%2e%2f /x/%2e%2e%5c /x/.%00. /x/.%0d.""".split()
ENDINGS = rb"""/ // . .. %20 + %09 ; ;x ;x=y %3b %3bx %00 %00.png %0a /. /.. /%2e /..;/ %2f %5c \ ~ ? ?x # #x %23 %3f %3Fx ?/../admin
    ::$DATA %ff %c3 %e2%80%ae %e2%80%8b %c2%a0 .json /.json .html /index.html /x/.. * | & &x=1 : @ , ! $ ' % %2 %zz""".split()
FRONTS = rb"""/ // /. /; /;x/ /%2e /%2e/ /%2f /%5c /\ /x/.. /x/..; /.. /../ //x/.. /%20 /%00 /:80 /@x /x@ /~ /*/..""".split()
AUTHORITIES = rb"""http://HOST HTTP://HOST https://HOST http://HOST:80 http://x@HOST http://evil.example http://HOST%2f http:/HOST
    http:HOST http:// //HOST ftp://HOST file:// http://HOST# http://HOST? http://HOST\ http://HOST/x/.. http://HOST/.""".split()
QUERIES = rb"""? ?x ?a=1&b=2 ?/../../admin ?%2e%2e/ # #/ #/../x ?path=/admin ?? ?# ;?x ?\ ?%00 ?/admin/secret ?;""".split()
LOOKALIKES = {  # of a letter: wide, accented, folded
    ord("a"): (b"%ef%bd%81", b"\xef\xbd\x81", b"%c3%a0", b"%d0%b0", b"%c2%aa"),
    ord("d"): (b"%ef%bd%84", b"\xef\xbd\x84", b"%e2%85%be"),
    ord("m"): (b"%ef%bd%8d", b"%e2%85%bf"),
    ord("i"): (b"%c4%b1", b"%c4%b0", b"%e2%85%b0", b"\xc4\xb1"),
    ord("n"): (b"%ef%bd%8e", b"%e2%81%bf"),
    ord("s"): (b"%c5%bf", b"\xc5\xbf"),
}
CONTROLS = (b"\t", b"\x00", b"\x0b", b"\x0c", b"\x1f", b"\x7f", b"\x80", b"\xa0", b"\xff", b" ")


class Spellings:
    """Makes spellings of paths, the same ones for a seed each time."""

    def __init__(self, seed: int, host: str) -> None:
        self._random = Random(seed)
        self._host = host.encode()
        # One character, more often than what rarely passes.
        self._tricks: list[Callable[[bytes], bytes]] = [
            self._encode,
            self._encode,
            self._other_slash,
            self._other_slash,
            self._detour,
            self._case,
            self._lookalike,
            self._control,
            lambda s: s + self._random.choice(ENDINGS),
            lambda s: self._random.choice(FRONTS) + s.lstrip(b"/"),
            lambda s: s + self._random.choice(QUERIES),
            lambda s: self._random.choice(AUTHORITIES).replace(b"HOST", self._host) + s,
        ]

    def of(self, paths: tuple[str, ...], count: int) -> Iterator[bytes]:
        """Yields request targets: each one of the paths after one to four tricks."""
        for _ in range(count):
            spelling = self._random.choice(paths).encode()
            for _ in range(self._random.choice((1, 1, 2, 2, 3, 4))):
                spelling = self._random.choice(self._tricks)(spelling)
            yield spelling

    def _encode(self, s: bytes) -> bytes:
        """One to three characters, once or twice, in either case."""
        for _ in range(self._random.randint(1, 3)):
            at = self._random.randrange(len(s))
            form = self._random.choice((b"%%%02x", b"%%%02X", b"%%%02x", b"%%25%02x", b"%%%%%02x", b"%%u00%02x"))
            s = s[:at] + form % s[at] + s[at + 1 :]
        return s

    def _slash(self, s: bytes) -> int | None:
        places = [at for at, byte in enumerate(s) if byte == ord("/")]
        return self._random.choice(places) if places else None

    def _other_slash(self, s: bytes) -> bytes:
        at = self._slash(s)
        return s if at is None else s[:at] + self._random.choice(SLASHES) + s[at + 1 :]

    def _detour(self, s: bytes) -> bytes:
        at = self._slash(s)
        return s if at is None else s[:at] + self._random.choice(DETOURS) + s[at:]

    def _case(self, s: bytes) -> bytes:
        flip = self._random.choice((0.1, 0.5, 1.0))
        return bytes(
            byte ^ 0x20 if chr(byte).isascii() and chr(byte).isalpha() and self._random.random() < flip else byte
            for byte in s
        )

    def _lookalike(self, s: bytes) -> bytes:
        places = [at for at, byte in enumerate(s) if byte in LOOKALIKES]
        if not places:
            return s
        at = self._random.choice(places)
        return s[:at] + self._random.choice(LOOKALIKES[s[at]]) + s[at + 1 :]

    def _control(self, s: bytes) -> bytes:
        at = self._random.randrange(len(s) + 1)
        return s[:at] + self._random.choice(CONTROLS) + s[at:]
