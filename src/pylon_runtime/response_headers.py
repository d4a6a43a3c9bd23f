"""The headers every answer carries: security and CORS (contract 01 §1.2), made once when the server starts.

The methods and headers allowed to other origins go beyond the contract's by ``PUT`` and ``X-Filename``, which
its own clients use.
"""

HeaderTuples = tuple[tuple[str, str], ...]

SECURITY_HEADERS: HeaderTuples = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("X-XSS-Protection", "1; mode=block"),
    ("Referrer-Policy", "strict-origin-when-cross-origin"),
    (
        "Permissions-Policy",
        "accelerometer=(), camera=(), geolocation=(), gyroscope=(), microphone=(), payment=(), usb=()",
    ),
)


def common_headers(cors_origin: str) -> HeaderTuples:
    """The security headers, and the CORS headers for the one origin that may read answers (or ``*``)."""
    cors: HeaderTuples = (
        ("Access-Control-Allow-Origin", cors_origin),
        ("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE, OPTIONS"),
        ("Access-Control-Allow-Headers", "Content-Type, Authorization, X-Filename"),
        (
            "Access-Control-Expose-Headers",
            "X-Pylon-Truncated, X-Request-Id, Retry-After, Content-Disposition, Content-Range, ETag",
        ),
    )
    if cors_origin != "*":
        cors += (("Access-Control-Allow-Credentials", "true"), ("Vary", "Origin"))
    return SECURITY_HEADERS + cors
