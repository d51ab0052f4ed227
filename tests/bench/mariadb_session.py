"""One session on a server over its unix socket, by the client library that Debian's mariadb-client brings: no process and no pipe stands in between."""
import ctypes

_LIBRARY = ctypes.CDLL("libmariadb.so.3")
_TEXT = ctypes.c_char_p
_POINTER = ctypes.c_void_p
for _name, _result, _arguments in (
    ("mysql_init", _POINTER, [_POINTER]),
    ("mysql_real_connect", _POINTER, [_POINTER, _TEXT, _TEXT, _TEXT, _TEXT, ctypes.c_uint, _TEXT, ctypes.c_ulong]),
    ("mysql_query", ctypes.c_int, [_POINTER, _TEXT]),
    ("mysql_error", _TEXT, [_POINTER]),
    ("mysql_store_result", _POINTER, [_POINTER]),
    ("mysql_num_fields", ctypes.c_uint, [_POINTER]),
    ("mysql_fetch_row", ctypes.POINTER(_TEXT), [_POINTER]),
    ("mysql_free_result", None, [_POINTER]),
    ("mysql_close", None, [_POINTER]),
):
    _function = getattr(_LIBRARY, _name)
    _function.restype = _result
    _function.argtypes = _arguments


class Session:
    """Of user root without a password. One thread."""

    def __init__(self, socket, schema=None):
        self.handle = _LIBRARY.mysql_init(None)
        schema = schema.encode() if schema else None
        if not _LIBRARY.mysql_real_connect(self.handle, None, b"root", None, schema, 0, socket.encode(), 0):
            raise RuntimeError(f"{socket}: {self._error()}")

    def _error(self):
        return _LIBRARY.mysql_error(self.handle).decode(errors="replace")

    def run(self, *statements):
        """Runs statements; returns the rows of the last one as lists of text."""
        rows = []
        for statement in statements:
            if _LIBRARY.mysql_query(self.handle, statement.encode()) != 0:
                raise RuntimeError(f"{statement}: {self._error()}")
            rows = []
            result = _LIBRARY.mysql_store_result(self.handle)
            if not result:
                continue
            width = _LIBRARY.mysql_num_fields(result)
            while True:
                row = _LIBRARY.mysql_fetch_row(result)
                if not row:
                    break
                rows.append([None if row[i] is None else row[i].decode() for i in range(width)])
            _LIBRARY.mysql_free_result(result)
        return rows

    def value(self, statement):
        return self.run(statement)[0][0]

    def close(self):
        _LIBRARY.mysql_close(self.handle)
