"""The app that most tests here are about: lots to bid on, and books to search for."""

from pylon_core.manifest import parse_manifest

MANIFEST = parse_manifest(
    """{
  "manifest_version": 1, "name": "functions", "version": "1", "routes": [],
  "entities": [{"name": "Lot", "crdt": false, "indexes": [], "fields": [
    {"name": "title", "type": "string", "optional": false, "unique": true},
    {"name": "price", "type": "int", "optional": true, "unique": false},
    {"name": "open", "type": "bool", "optional": true, "unique": false}]},
  {"name": "Book", "indexes": [], "search": {"text": ["title"], "facets": ["shelf"]}, "fields": [
    {"name": "title", "type": "string", "optional": false, "unique": false},
    {"name": "shelf", "type": "string", "optional": true, "unique": false}]}]}"""
)
