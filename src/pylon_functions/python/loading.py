"""Which Python functions an app has: what the modules at the top level of its functions folder define."""

import importlib
import inspect
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from pylon_functions.python.arguments import Arguments, resolved
from pylon_functions.python.authoring import Function
from pylon_functions.python.descriptions import given
from pylon_functions.python.importing import provide_package
from pylon_functions.python.traces import of_the_app, tell
from pylon_functions.python.wire import FileProblem, FunctionEntry


class LoadedFunction:
    """A function with its arguments worked out; ``None`` for a workflow. Raises TypeError, NameError for a handler
    that cannot be called."""

    def __init__(self, function: Function[Any, ..., Any], file: str) -> None:
        _check_plain(function.handler)
        self.kind = function.kind
        self.name = function.name
        self.handler = function.handler
        self.file = file
        self.options = function.options
        self.is_internal = function.is_internal
        self.arguments = None if function.kind == "workflow" else Arguments(function.handler)

    def entry(self) -> FunctionEntry:
        schema = None if self.arguments is None else self.arguments.schema()
        options = None if self.options is None else {**self.options, "file": self.file}
        returns = None if self.arguments is None else _returned(self.handler)
        return FunctionEntry(self.name, self.kind, schema, options, internal=self.is_internal, returns=returns)


Registry = Mapping[str, LoadedFunction]


class LoadedFolder(NamedTuple):
    registry: Registry
    problems: list[FileProblem]
    """Of modules that did not load and functions that cannot be used; both are left out."""


def load_functions(folder: Path) -> LoadedFolder:
    """Import every module of the folder, in order of its names, and take the functions it defines.

    Raises OSError when the folder cannot be read.
    """
    files = [file for file in sorted(folder.iterdir()) if _is_function_file(file)]
    package = provide_package(folder)
    modules = {f"{package}.{file.stem}": file.name for file in files}
    registry: dict[str, LoadedFunction] = {}
    problems: list[FileProblem] = []
    for name, file in modules.items():
        try:
            module = importlib.import_module(name)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - an app's code may raise anything when imported
            problems.append(_import_problem(file, error, folder))
            continue
        for function in _defined_in(module, modules):
            try:
                loaded = LoadedFunction(function, file)
            except (TypeError, NameError) as error:
                problems.append(_function_problem(function, file, error))
                continue
            if loaded.name in registry:
                other = registry[loaded.name].file
                message = f"{other} defines {loaded.name} as well; this one counts."
                problems.append(FileProblem(file, _line_of(function), message))
            registry[loaded.name] = loaded
    return LoadedFolder(registry, problems)


def _is_function_file(file: Path) -> bool:
    if file.suffix != ".py" or not file.is_file():
        return False
    return not file.name.startswith(("_", "test_", "conftest.")) and not file.name.endswith("_test.py")


def _defined_in(module: ModuleType, modules: Mapping[str, str]) -> Iterator[Function[Any, ..., Any]]:
    """By the order of their definition. Those of another function file are that one's; those that a helper made
    for this one are its own."""
    for value in list(vars(module).values()):
        if isinstance(value, Function) and (
            value.handler.__module__ == module.__name__ or value.handler.__module__ not in modules
        ):
            yield value


def _check_plain(handler: Any) -> None:
    """Raises TypeError for what does not simply return a value."""
    if inspect.iscoroutinefunction(handler):
        raise TypeError("it is async; every call has a thread of its own, so write a plain def")
    if inspect.isgeneratorfunction(handler) or inspect.isasyncgenfunction(handler):
        raise TypeError("it yields; return a list, or send text to the caller with ctx.stream")


def _returned(handler: Callable[..., Any]) -> Mapping[str, Any] | None:
    """What comes back, as a validator; ``None`` when its annotation does not say. Only clients are made of it, so
    one that cannot be read, such as one imported for type checkers only, keeps no function from being called."""
    annotation = inspect.signature(handler).return_annotation
    if annotation is inspect.Signature.empty:
        return None
    try:
        described = given(resolved(handler, {"return": annotation})["return"])
    except Exception:  # noqa: BLE001 - to read an annotation is to run what the app wrote there
        return None
    return None if described == {"type": "any"} else described


def _import_problem(file: str, error: BaseException, folder: Path) -> FileProblem:
    """Where in the app's own code it went wrong, as exactly as can be told. The whole trace goes to stderr."""
    tell(f"Cannot load the function file {file}:\n{of_the_app(error)}")
    message = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, SyntaxError) and error.filename is not None:
        where = _within(error.filename, folder)
        return FileProblem(where or file, error.lineno, f"{type(error).__name__}: {error.msg}")
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        where = _within(frame.filename, folder)
        if where is not None:
            return FileProblem(where, frame.lineno, message)
    return FileProblem(file, None, message)


def _function_problem(function: Function[Any, ..., Any], file: str, error: Exception) -> FileProblem:
    message = f"The function {function.name} cannot be used: {error}"
    tell(f"{file}: {message}")
    return FileProblem(file, _line_of(function), message)


def _line_of(function: Function[Any, ..., Any]) -> int | None:
    code = getattr(inspect.unwrap(function.handler), "__code__", None)
    return None if code is None else code.co_firstlineno


def _within(path: str, folder: Path) -> str | None:
    file = Path(path)
    return str(file.relative_to(folder)) if file.is_relative_to(folder) else None
