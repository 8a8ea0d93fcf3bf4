"""The C interface of the SpikeLink SDK, by ctypes.

The SDK comes with the camera and is not ours. Its names and structs are taken from the bindings that SpikeCV publishes
(``spikelinkapi.h`` and ``spikelinkapi.py``), in the version whose parameters hold ``cusum``. What was assumed beyond
them: every call returns 0 when it went well; frames come from one thread of the SDK; a frame handed to the callback is
ours until it is released, which may be done inside the callback. A USB camera's parameters are not published, so only
the PCIe board and the SDK's own player of files are opened. A version with other names is opened by the option
``symbols``; one with other structs needs a change here.
"""

import ctypes
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar, NamedTuple

from spikemm.exceptions import OptionError

__all__ = ["DEVICES", "SYMBOLS", "Device", "SpikeLinkLibrary"]

SYMBOLS = {
    "create": "CreateSpikeLinkInputPython",
    "init": "Init",
    "set_callback": "SetCallbackPython",
    "open": "Open",
    "start": "Start",
    "stop": "Stop",
    "close": "Close",
    "finish": "Fini",
    "release": "ReleaseFrame",
}
"""What is done → the function's name in the library."""

DEVICES = {"pcie": 0x20, "file": 0x24}
"""Kind of device → its number in the SDK."""

_MODES = {(250, 20_000): 0x1000, (250, 40_000): 0x1001, (1000, 20_000): 0x2000, (1000, 40_000): 0x2001}
_UNKNOWN_MODE = 0x8000
_ONE_BIT_GREY = 0x10000


class _Rational(ctypes.Structure):
    _fields_: ClassVar = [("num", ctypes.c_int64), ("den", ctypes.c_int64)]


class _Picture(ctypes.Structure):
    _fields_: ClassVar = [
        ("width", ctypes.c_int32),
        ("height", ctypes.c_int32),
        ("format", ctypes.c_uint32),
        ("fps", _Rational),
        ("time_base", _Rational),
    ]


class _Parameters(ctypes.Structure):
    _fields_: ClassVar = [
        ("opaque", ctypes.c_void_p),
        ("type", ctypes.c_uint32),
        ("mode", ctypes.c_uint32),
        ("format", ctypes.c_uint32),
        ("buff_size", ctypes.c_int32),
        ("cusum", ctypes.c_int32),
        ("picture", _Picture),
    ]


class _Board(ctypes.Structure):
    _fields_: ClassVar = [
        ("device_name", ctypes.c_char * 256),
        ("channels", ctypes.c_int32),
        ("channel_mode", ctypes.c_int32),  # 0: read only
    ]


class _Player(ctypes.Structure):
    _fields_: ClassVar = [
        ("file_name", ctypes.c_char * 256),
        ("fps", _Rational),
        ("duration", ctypes.c_int64),
        ("skip", ctypes.c_int32),
        ("start", ctypes.c_int32),
        ("end", ctypes.c_int32),
        ("repeat", ctypes.c_bool),
    ]


class _Frame(ctypes.Structure):
    _fields_: ClassVar = [
        ("data", ctypes.c_void_p * 3),
        ("linesize", ctypes.c_int32 * 3),
        ("format", ctypes.c_int32),
        ("size", ctypes.c_int32),
        ("width", ctypes.c_int32),
        ("height", ctypes.c_int32),
        ("pts", ctypes.c_int64),
        ("dts", ctypes.c_int64),
        ("duration", ctypes.c_int64),
        ("time_base", _Rational),
        ("opaque", ctypes.c_void_p),
    ]


_Callback = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class Device(NamedTuple):
    """What is opened.

    Attributes
    ----------
    kind : str
        One of `DEVICES`.
    path : str
        For ``pcie`` the library of the board's driver, for ``file`` the file.
    channel : int
        Of the board.
    height, columns : int
        Size of a step as it is sent, columns that are no pixels included.
    rate_hz : float
        Steps per second.
    cusum : int
        Steps per block.
    frames : int
        Blocks that the SDK can hold.
    """

    kind: str
    path: str
    channel: int
    height: int
    columns: int
    rate_hz: float
    cusum: int
    frames: int


class SpikeLinkLibrary:
    """The SDK with one camera.

    Parameters
    ----------
    path : str
        The shared library.
    symbols : mapping of str to str
        Names that differ from `SYMBOLS`.
    take : callable
        Called in the SDK's thread with the address, the size in bytes and the number (`pts`) of each block. The block
        is released as soon as it returns.

    Raises
    ------
    OptionError
        The library cannot be loaded, or lacks a function.
    """

    def __init__(self, path: str, symbols: Mapping[str, str], take: Callable[[int, int, int], None]) -> None:
        self._path, self._symbols, self._take = path, SYMBOLS | dict(symbols), take
        try:
            self._library = ctypes.CDLL(str(Path(path).resolve()))
        except OSError as error:
            raise OptionError(
                f"library {path}: cannot be loaded ({error}): is it for this machine, and complete?"
            ) from None
        pointer, number = ctypes.c_void_p, ctypes.c_int32
        self._create = self._function("create", pointer)
        self._init = self._function("init", number, pointer, pointer)
        self._set_callback = self._function("set_callback", None, pointer, _Callback)
        self._calls = {name: self._function(name, number, pointer) for name in ("open", "start", "stop", "close")}
        self._finish = self._function("finish", None, pointer)
        self._release = self._function("release", None, pointer, pointer)
        self._callback = _Callback(self._on_frame)  # kept here: the SDK calls it as long as it is open
        self._to_undo: list[str] = []
        self._handle: int | None = None

    def _function(self, what: str, result: type | None, *arguments: type) -> "ctypes._NamedFuncPointer":
        name = self._symbols[what]
        try:
            function = getattr(self._library, name)
        except AttributeError:
            raise OptionError(
                f"library {self._path}: has no function {name}: name its own under symbols: {{{what}: NAME}}"
            ) from None
        function.restype, function.argtypes = result, arguments
        return function  # type: ignore[no-any-return]

    def open(self, device: Device) -> None:
        """Open the camera and let it send.

        Raises
        ------
        ConnectionError
            The SDK refuses.
        """
        parameters, own = _parameters(device)
        self._handle = self._create()
        self._expect_success("init", self._init(self._handle, ctypes.addressof(parameters)))
        del own  # the SDK has its own copy
        self._set_callback(self._handle, self._callback)
        for what, undo in (("open", "close"), ("start", "stop")):
            self._expect_success(what, self._calls[what](self._handle))
            self._to_undo.append(undo)

    def _expect_success(self, what: str, code: int) -> None:
        if code != 0:
            raise ConnectionError(
                f"{self._symbols[what]} failed with code {code}: is the camera on, connected, and used by nobody else?"
            )

    def _on_frame(self, address: int) -> None:
        frame = _Frame.from_address(address)
        try:
            self._take(frame.data[0], frame.size, frame.pts)
        finally:
            self._release(self._handle, address)

    def close(self) -> None:
        """Stop the camera and let go of it; from here on nothing is called back."""
        while self._to_undo:
            self._calls[self._to_undo.pop()](self._handle)
        if self._handle is not None:
            self._finish(self._handle)
            self._handle = None


def _parameters(device: Device) -> tuple[_Parameters, _Board | _Player]:
    rate = round(device.rate_hz)
    own: _Board | _Player
    if device.kind == "file":
        own = _Player(file_name=device.path.encode(), fps=_Rational(rate, 1))
    else:
        own = _Board(device_name=device.path.encode(), channels=device.channel, channel_mode=0)
    picture = _Picture(device.columns, device.height, _ONE_BIT_GREY, _Rational(rate, 1), _Rational(1, rate))
    mode = _MODES.get((device.height, rate), _UNKNOWN_MODE)
    return (
        _Parameters(
            ctypes.addressof(own),
            DEVICES[device.kind],
            mode,
            _ONE_BIT_GREY,
            device.frames,
            device.cusum,
            picture,
        ),
        own,
    )
