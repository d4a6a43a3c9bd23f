"""A short, human name for the device behind a ``User-Agent``, for the list of a user's sessions.

Contract 03 §4.4. Best effort by nature: a wrong label harms nobody, and nothing is decided by it.
"""

_PROGRAMS = (
    ("pylon-sdk", "Pylon SDK"),
    ("pylon-cli", "Pylon CLI"),
    ("curl/", "curl"),
    ("python-requests/", "Python (requests)"),
    ("go-http-client/", "Go HTTP client"),
    ("postmanruntime/", "Postman"),
)

# Order matters: most browsers also claim to be the ones further down.
_BROWSERS = (
    ("edg", "Edge"),
    ("opr/", "Opera"),
    ("opera", "Opera"),
    ("brave", "Brave"),
    ("vivaldi", "Vivaldi"),
    ("firefox", "Firefox"),
    ("fxios", "Firefox"),
    ("chrome", "Chrome"),
    ("crios", "Chrome"),
    ("safari", "Safari"),
)

_SYSTEMS = (
    ("iphone", "iOS"),
    ("ipad", "iPadOS"),
    ("android", "Android"),
    ("mac os x", "macOS"),
    ("macintosh", "macOS"),
    ("windows", "Windows"),
    ("cros ", "ChromeOS"),
    ("linux", "Linux"),
)


def device_label(user_agent: str | None) -> str | None:
    """``Chrome on macOS``, a known program's name, or ``Unknown``; ``None`` without a user agent."""
    if not user_agent:
        return None
    agent = user_agent.lower()
    for prefix, label in _PROGRAMS:
        if agent.startswith(prefix):
            return label
    browser = _first(agent, _BROWSERS)
    system = _first(agent, _SYSTEMS)
    if browser and system:
        return f"{browser} on {system}"
    return browser or system or "Unknown"


def _first(agent: str, marks: tuple[tuple[str, str], ...]) -> str | None:
    return next((label for mark, label in marks if mark in agent), None)
