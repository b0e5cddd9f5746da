"""Read a pickle as a description: nothing in it is imported, called or made.

Whatever class or function a pickle names becomes a class of :class:`Recorded`, which keeps what the pickle says of the
object (arguments, state, entries) and does nothing else. Who knows what a checkpoint may hold turns the records into
values afterwards (:mod:`recbole_llmdistill.compat.checkpoint_values`), with every size checked.

The unpickler is the one that the standard library has in Python: that in C sets aside memory for numbers that the
file declares, and takes a nested key's hash with the C stack.
"""

import pickle
from collections.abc import Callable, Iterable
from typing import Any, BinaryIO, ClassVar


class Recorded:
    """What a pickle says of one object. The classes below it, one a name, stand for the named class or function."""

    module: ClassVar[str]
    name: ClassVar[str]
    arguments: tuple
    state: Any
    entries: list[tuple[Any, Any]]

    def __new__(cls, *arguments: Any, **named: Any) -> "Recorded":
        recorded = object.__new__(cls)
        recorded.arguments = arguments
        recorded.state = None
        recorded.entries = []
        return recorded

    def __init__(self, *arguments: Any, **named: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        self.entries.append((key, value))

    def _nothing(self, *_values: Any) -> None:
        pass

    append = extend = add = _nothing


def is_recorded_class(value: Any) -> bool:
    """Whether ``value`` stands for a class or function that a pickle only names."""
    return isinstance(value, type) and issubclass(value, Recorded)


class _Unpickler(pickle._Unpickler):
    stack: list[Any]

    # Opcodes that torch.save and RecBole never write: the process's registry of extensions, and declared buffers.
    dispatch: ClassVar[dict] = {
        opcode: handler
        for opcode, handler in pickle._Unpickler.dispatch.items()
        if bytes([opcode])
        not in (pickle.EXT1, pickle.EXT2, pickle.EXT4, pickle.BYTEARRAY8, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER)
    }

    def __init__(self, file: BinaryIO, persistent_load: Callable[[Any], Any]) -> None:
        super().__init__(file)
        self._persistent_load = persistent_load
        self._classes: dict[tuple[str, str], type[Recorded]] = {}

    def persistent_load(self, pid: Any) -> Any:
        return self._persistent_load(pid)

    def find_class(self, module: str, name: str) -> type[Recorded]:
        key = (module, name)
        if key not in self._classes:
            self._classes[key] = type("Named", (Recorded,), {"module": module, "name": name})
        return self._classes[key]


def _with_checked_keys(opcode: bytes, keys_of: Callable[[list], Iterable[Any]]) -> None:
    """Let the handler of an opcode that hashes refuse keys whose hash would go down without an end."""
    handler = pickle._Unpickler.dispatch[opcode[0]]

    def checked(unpickler: _Unpickler) -> None:
        for key in keys_of(unpickler.stack):
            if isinstance(key, (tuple, frozenset)) and any(isinstance(part, (tuple, frozenset)) for part in key):
                raise pickle.UnpicklingError("it has a nested key")
        handler(unpickler)  # type: ignore[arg-type]  # typeshed: of the Unpickler in C

    _Unpickler.dispatch[opcode[0]] = checked


_with_checked_keys(pickle.SETITEM, lambda stack: stack[-2:-1])
_with_checked_keys(pickle.SETITEMS, lambda stack: stack[::2])
_with_checked_keys(pickle.DICT, lambda stack: stack[::2])
_with_checked_keys(pickle.ADDITEMS, lambda stack: stack)
_with_checked_keys(pickle.FROZENSET, lambda stack: stack)


def load(file: BinaryIO, persistent_load: Callable[[Any], Any]) -> Any:
    """Containers, numbers and texts as they are, all else as :class:`Recorded`.

    Args:
        file: the pickle.
        persistent_load: called with what the pickle refers to outside of itself; gives what is to stand for it.

    Raises:
        Exception: of any kind, where the file is no pickle.
    """
    return _Unpickler(file, persistent_load).load()
