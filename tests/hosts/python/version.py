"""Prints the version of the engine that executes components here."""

from importlib.metadata import version

print(version("wasmtime"))
