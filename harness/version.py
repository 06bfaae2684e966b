"""The version of the distribution, readable without importing anything."""

VERSION = "0.1.0"
