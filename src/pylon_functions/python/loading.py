"""Which Python functions an app has: what the modules at the top level of its functions folder define."""

import importlib
import inspect
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from pylon_functions.python.arguments import Arguments
from pylon_functions.python.authoring import Function
from pylon_functions.python.wire import FunctionEntry


class LoadedFunction:
    """A function with its arguments worked out; ``None`` for a workflow. Raises TypeError, NameError for a handler
    that cannot be called."""

    def __init__(self, function: Function[Any, ..., Any], file: str) -> None:
        if inspect.iscoroutinefunction(function.handler):
            raise TypeError("it is async; every call has a thread of its own, so write a plain def")
        self.kind = function.kind
        self.name = function.name
        self.handler = function.handler
        self.file = file
        self.options = function.options
        self.arguments = None if function.kind == "workflow" else Arguments(function.handler)

    def entry(self) -> FunctionEntry:
        schema = None if self.arguments is None else self.arguments.schema()
        options = None if self.options is None else {**self.options, "file": self.file}
        return FunctionEntry(self.name, self.kind, schema, options)


Registry = Mapping[str, LoadedFunction]


def load_functions(folder: Path) -> Registry:
    """Import every module of the folder, in order of its names, and take the functions it defines.

    A module that does not load, and a function whose parameters make no sense, are told of on stderr and left out.
    Raises OSError when the folder cannot be read.
    """
    _as_package(folder)
    registry: dict[str, LoadedFunction] = {}
    for file in sorted(folder.iterdir()):
        if file.suffix != ".py" or file.name.startswith(("_", "test_")) or file.name.endswith("_test.py"):
            continue
        for function in _defined_in(file):
            try:
                loaded = LoadedFunction(function, file.name)
            except (TypeError, NameError) as error:
                print(f"The function {function.name} of {file.name} cannot be used: {error}", file=sys.stderr)
                continue
            if loaded.name in registry:
                other = registry[loaded.name].file
                print(f"{other} and {file.name} both define {loaded.name}; the later counts", file=sys.stderr)
            registry[loaded.name] = loaded
    return registry


def _defined_in(file: Path) -> list[Function[Any, ..., Any]]:
    """The functions of a module, by the order of their definition; those it imports are another's."""
    try:
        module = _import(file)
    except (Exception, SystemExit):  # noqa: BLE001 - an app's code may raise anything when it is imported
        print(f"Cannot load the function file {file.name}:", file=sys.stderr)
        traceback.print_exc()
        return []
    functions = [value for value in vars(module).values() if isinstance(value, Function)]
    return [function for function in functions if function.handler.__module__ == module.__name__]


def _import(file: Path) -> ModuleType:
    return importlib.import_module(f"{file.parent.name}.{file.stem}")


def _as_package(folder: Path) -> None:
    """Make the folder a package of its own name, so that its modules shadow nobody's and import each other as
    ``from functions.prices import total`` or ``from .prices import total``."""
    package = ModuleType(folder.name)
    package.__path__ = [str(folder)]
    sys.modules[folder.name] = package
