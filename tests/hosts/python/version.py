"""Prints the version of Wasmtime in Python."""

from importlib.metadata import version

print(version("wasmtime"))
