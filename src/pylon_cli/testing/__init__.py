"""``pylon test``: which files of an app are tests, and running each against a server of its own."""
