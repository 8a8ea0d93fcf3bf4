"""H.264 in RTP packets (RFC 3550, RFC 6184), and the session description that players need (RFC 8866)."""

import base64
import re
import secrets
import struct
from collections.abc import Iterator

from nodes.streaming.h264_encoder import RTP_CLOCK_HZ

__all__ = ["Packetizer", "nal_units", "session_description"]

_PAYLOAD_TYPE = 96  # the first of those that a description gives its meaning to
_LARGEST_BYTES = 1400  # with the headers of RTP, UDP and IP still one Ethernet frame
_MARKER = 0x80
_FU_A = 28
_SPS, _PPS = 7, 8
_SENDER_REPORT = 200
_SECONDS_1900_TO_1970 = 2_208_988_800
_START_CODE = re.compile(rb"\x00\x00\x01")


def nal_units(access_unit: bytes) -> list[bytes]:
    """Return the NAL units between the start codes of an access unit."""
    return [unit.rstrip(b"\x00") for unit in _START_CODE.split(access_unit)[1:]]


class Packetizer:
    """Cuts access units into packets of one stream, numbers them, and sums up for the sender reports."""

    def __init__(self) -> None:
        self._source = secrets.randbits(32)
        self._number = secrets.randbits(16)
        self._packets = self._octets = 0

    def packets(self, units: list[bytes], timestamp: int) -> list[bytes]:
        """Return an access unit as packets, the last of them marked.

        Parameters
        ----------
        units : list of bytes
            Its NAL units.
        timestamp : int
            Ticks of 90 kHz; what does not fit 32 bits is cut off.
        """
        payloads = [payload for unit in units for payload in _fragments(unit)]
        made = []
        for place, payload in enumerate(payloads, start=1):
            marked = _MARKER if place == len(payloads) else 0
            numbers = self._number, timestamp & 0xFFFFFFFF, self._source
            made.append(struct.pack(">BBHII", 0x80, marked | _PAYLOAD_TYPE, *numbers) + payload)
            self._number = (self._number + 1) & 0xFFFF
            self._packets, self._octets = self._packets + 1, self._octets + len(payload)
        return made

    def sender_report(self, wall_s: float, timestamp: int) -> bytes:
        """Return the packet that says which time stamp belongs to which wall time, in seconds since 1970."""
        whole, part = divmod(wall_s + _SECONDS_1900_TO_1970, 1.0)
        moment = int(whole) & 0xFFFFFFFF, int(part * (1 << 32)), timestamp & 0xFFFFFFFF
        sums = self._packets & 0xFFFFFFFF, self._octets & 0xFFFFFFFF
        return struct.pack(">BBHIIIIII", 0x80, _SENDER_REPORT, 6, self._source, *moment, *sums)


def _fragments(unit: bytes) -> Iterator[bytes]:
    """Cut a NAL unit into payloads (RFC 6184, 5.6 and 5.8)."""
    if len(unit) <= _LARGEST_BYTES:
        yield unit
        return
    indicator, kind = unit[0] & 0xE0 | _FU_A, unit[0] & 0x1F
    room = _LARGEST_BYTES - 2
    for start in range(1, len(unit), room):
        first, last = start == 1, start + room >= len(unit)
        yield bytes((indicator, first << 7 | last << 6 | kind)) + unit[start : start + room]


def session_description(units: list[bytes], host: str, port: int, name: str) -> str:
    """Describe a stream.

    Parameters
    ----------
    units : list of bytes
        NAL units of its first access unit, which holds the parameter sets.
    host : str
        Address that the packets go to; ``0.0.0.0`` where the transport settles it.
    port : int
        UDP port that they go to; 0 where the transport settles it.
    name : str
        Name of the session.
    """
    sets = {unit[0] & 0x1F: unit for unit in units if unit[0] & 0x1F in (_SPS, _PPS)}
    parameters = ",".join(base64.b64encode(sets[kind]).decode() for kind in (_SPS, _PPS))
    family = "IP6" if ":" in host else "IP4"
    lines = (
        "v=0",
        f"o=- 0 0 IN {family} {'::1' if family == 'IP6' else '127.0.0.1'}",
        f"s={name}",
        f"c=IN {family} {host}",
        "t=0 0",
        f"m=video {port} RTP/AVP {_PAYLOAD_TYPE}",
        f"a=rtpmap:{_PAYLOAD_TYPE} H264/{RTP_CLOCK_HZ}",
        f"a=fmtp:{_PAYLOAD_TYPE} packetization-mode=1; sprop-parameter-sets={parameters}; "
        f"profile-level-id={sets[_SPS][1:4].hex().upper()}",
        "a=control:streamid=0",
    )
    return "\r\n".join((*lines, ""))
