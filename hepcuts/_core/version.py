"""The version, of which the package metadata are the only source."""

from importlib.metadata import version

__version__ = version("hepcuts")
