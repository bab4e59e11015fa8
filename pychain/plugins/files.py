"""A user's file as a module: read, executed once per process, and its names with the line of each."""

from __future__ import annotations

import ast
import hashlib
import os
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from pychain.base.errors import ConfigError

MAX_SOURCE_BYTES = 1_000_000
"""A larger file is refused before it is parsed."""
_MODULE_PREFIX = "pychain_plugin_"


@dataclass(frozen=True, slots=True)
class UserFile:
    """A file that was executed. `path`: as the user wrote it; `lines`: the public names that the file defines, without
    its imports, each with its line; `end`: the last line."""

    path: str
    digest: str
    module: ModuleType
    lines: dict[str, int]
    end: int

    def failure(self, name: str, error: BaseException) -> ConfigError:
        """The error to raise if using a name of this file failed."""
        return _failure(self.module, self.path, error, self.lines.get(name, self.end))


def read_file(path: str) -> UserFile:
    """Execute a file, unless this process has done so already. ConfigError if that fails."""
    source = _read(path)
    digest = hashlib.sha256(source).hexdigest()
    try:
        tree = ast.parse(source, path)
        code = compile(tree, path, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise ConfigError(f"{path}:{error.lineno or 1}: {type(error).__name__}: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:  # NUL bytes, or thousands of nested brackets
        raise ConfigError(f"{path}:1: {type(error).__name__}: {error}") from None
    place = hashlib.sha256(os.fsencode(os.path.abspath(path)) + source).hexdigest()
    module = ModuleType(_MODULE_PREFIX + place[:16])
    if module.__name__ in sys.modules:
        module = sys.modules[module.__name__]
    else:
        module.__file__ = path
        sys.modules[module.__name__] = module  # where its classes look up their annotations
        try:
            exec(code, module.__dict__)
        except BaseException as error:
            del sys.modules[module.__name__]
            if not isinstance(error, (Exception, SystemExit)):
                raise
            raise _failure(module, path, error, 1) from None
    return UserFile(path, digest, module, dict(_bound(tree.body)), source.count(b"\n") + 1)


def _read(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            source = file.read(MAX_SOURCE_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise ConfigError(f"there is no file {path}") from None
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:  # a NUL in the path
        raise ConfigError(f"{path!r} is not a path: {error}") from None
    if len(source) > MAX_SOURCE_BYTES:
        raise ConfigError(f"{path} is larger than {MAX_SOURCE_BYTES} bytes")
    return source


def _failure(module: ModuleType, path: str, error: BaseException, otherwise: int) -> ConfigError:
    """One line: the last line of the file in the traceback, the type of the error, and its message."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == module.__file__]
    kind = "" if isinstance(error, ConfigError) else f"{type(error).__name__}: "
    text = f"{kind}{error}".partition("\n")[0].removesuffix(": ")
    return ConfigError(f"{path}:{lines[-1] if lines else otherwise}: {text}")


def _bound(statements: list[ast.stmt]) -> Iterator[tuple[str, int]]:
    """The public names that statements define, in order; also within `if`, `try` and `with`."""
    for statement in statements:
        names: list[str] = []
        match statement:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                names = [name]
            case ast.Assign(targets=targets):
                names = [target.id for target in targets if isinstance(target, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name)):
                names = [name]
            case ast.If() | ast.Try() | ast.With():
                for block in ("body", "handlers", "orelse", "finalbody"):
                    for each in getattr(statement, block, []):
                        yield from _bound(each.body if isinstance(each, ast.ExceptHandler) else [each])
        yield from ((name, statement.lineno) for name in names if not name.startswith("_"))
