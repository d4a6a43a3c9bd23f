import pytest

from pylon_auth import device_label

MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko)"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("agent", "label"),
    [
        (None, None),
        ("", None),
        (f"{MAC} Chrome/126.0.0.0 Safari/537.36", "Chrome on macOS"),
        (f"{MAC} Chrome/126.0.0.0 Safari/537.36 Edg/126.0", "Edge on macOS"),
        (f"{MAC} Version/17.5 Safari/605.1.15", "Safari on macOS"),
        (f"{IPHONE} Version/17.5 Mobile/15E148 Safari/604.1", "Safari on iOS"),
        (f"{IPHONE} CriOS/126.0 Mobile/15E148 Safari/604.1", "Chrome on iOS"),
        ("Mozilla/5.0 (Windows NT 10.0; rv:127.0) Gecko/20100101 Firefox/127.0", "Firefox on Windows"),
        ("Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/126.0 Mobile", "Chrome on Android"),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/126.0 OPR/112.0", "Opera on Linux"),
        ("curl/8.5.0", "curl"),
        ("python-requests/2.32", "Python (requests)"),
        ("Go-http-client/1.1", "Go HTTP client"),
        ("PostmanRuntime/7.39", "Postman"),
        ("something else", "Unknown"),
    ],
)
def test_a_device_is_named_for_people(agent: str | None, label: str | None) -> None:
    assert device_label(agent) == label
