"""Owns uploaded files: their bytes on a disk or in a bucket, their entries in the application's database.

``FileLibrary`` keeps the two in step. Never knows requests, or who may read what.
"""

from pylon_storage.files.index import SqlFileIndex
from pylon_storage.files.library import FileLibrary
from pylon_storage.files.local import LocalStorage

__all__ = ["FileLibrary", "LocalStorage", "SqlFileIndex"]
