"""What is kept from functions, and what they get."""

import pytest

from pylon_runtime.function_environment import functions_environment


@pytest.mark.parametrize(
    ("name", "is_kept"),
    [
        ("PATH", True),
        ("STRIPE_SECRET_KEY", True),
        ("PYLON_PUBLIC_URL", True),
        ("MY_DATABASE_URL", True),
        ("PYLON_ADMIN_TOKEN", False),
        ("DATABASE_URL", False),
        ("PGPASSWORD", False),
        ("PGPASSFILE", False),
        ("PGSERVICEFILE", False),
        ("PGSSLKEY", False),
        ("PGUI_THEME", True),
        ("PYLON_JWT_SECRET", False),
        ("PYLON_S3_SECRET_KEY", False),
        ("PYLON_OAUTH_GITHUB_CLIENT_SECRET", False),
        ("PYLON_OAUTH_APPLE_PRIVATE_KEY", False),
        ("PYLON_API_KEY_PEPPER", False),
        ("PYLON_TOTP_ENCRYPTION_KEY", False),
    ],
)
def test_functions_get_the_environment_without_the_servers_secrets(name: str, is_kept: bool) -> None:
    assert functions_environment({name: "x"}) == ({name: "x"} if is_kept else {})


@pytest.mark.parametrize(
    ("name", "is_kept"),
    [
        ("SITE_URL", True),
        ("STRIPE_SECRET_KEY", True),
        ("STRIPE", False),
        ("SITE_URL_2", False),
        ("PYLON_PORT", False),
        ("PYLON_ADMIN_TOKEN", False),
        ("PYLON_S3_SECRET_KEY", False),
        ("DATABASE_URL", False),
        ("PATH", True),
        ("HOME", True),
        ("LC_ALL", True),
        ("BUN_INSTALL", True),
        ("NODE_ENV", True),
        ("PYTHONPATH", True),
        ("PATHS", False),
    ],
)
def test_a_list_of_what_functions_see_leaves_out_the_rest(name: str, is_kept: bool) -> None:
    seen = functions_environment({name: "x"}, ("SITE_URL", "STRIPE_*", "DATABASE_URL", "PYLON_S3_*"))

    assert seen.pop("PYLON_FN_ENV").startswith("SITE_URL,STRIPE_*,DATABASE_URL,PYLON_S3_*,PATH,")
    assert seen == ({name: "x"} if is_kept else {})
