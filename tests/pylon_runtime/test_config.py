"""The configuration: defaults, what dev mode changes, and refusals that name the variable at fault."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pylon_auth import CookieConfig, SameSite
from pylon_runtime.config import SETTINGS, AccessLog, ServerConfig
from pylon_runtime.hosts import HostRule
from pylon_runtime.origins import OriginRule
from pylon_runtime.settings import ConfigError

SITE = "https://app.example.com"
PRODUCTION = {"PYLON_CORS_ORIGIN": SITE}
HOSTS = ["api.example.com", "app.example.com"]
DEV = {"PYLON_DEV_MODE": "1"}


class Watched(Mapping[str, str]):
    """An empty environment that remembers what was asked of it."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values_ = values
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return self.values_[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_)

    def __len__(self) -> int:
        return len(self.values_)


def test_production_defaults() -> None:
    config = ServerConfig.from_env(PRODUCTION)

    assert (config.port, config.host, config.dev_mode) == (4321, "0.0.0.0", False)
    assert config.cors_origin == SITE
    assert config.origins == OriginRule.of([SITE])
    assert config.trusted_origins == ()
    assert config.admin_token is None
    assert config.cookie.of("my-app") == CookieConfig("my-app_session", None, secure=True, same_site=SameSite.LAX)
    assert (config.db_path, config.functions_dir) == (Path(".pylon/dev.db"), Path("functions"))
    assert (config.fn_workers, config.fn_call_timeout_s) == (1, 30.0)
    assert (config.extra_ports, config.active_threads, config.default_policy_allows) == (True, 1, False)
    assert (config.drain_s, config.ws_frame_bytes_max, config.trust_proxy_hops) == (10.0, 16_777_216, 0)
    assert config.access_log is AccessLog.PROBLEMS


def test_dev_mode_opens_what_only_a_laptop_may() -> None:
    config = ServerConfig.from_env(DEV)

    assert (config.host, config.dev_mode, config.cors_origin) == ("127.0.0.1", True, "*")
    assert config.origins == OriginRule.of([], local=True)
    assert "http://localhost:3000" in config.trusted_origins
    assert not config.cookie.of("a").secure
    assert config.default_policy_allows


@pytest.mark.parametrize("value", ["", "0", "false"])
def test_anything_but_1_and_true_is_production(value: str) -> None:
    assert not ServerConfig.from_env(PRODUCTION | {"PYLON_DEV_MODE": value}).dev_mode


@pytest.mark.parametrize("environ", [{}, {"PYLON_CORS_ORIGIN": ""}, {"PYLON_CORS_ORIGIN": "*"}])
def test_outside_dev_mode_a_missing_or_open_cors_origin_refuses_to_start(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as caught:
        ServerConfig.from_env(environ)

    assert "PYLON_CORS_ORIGIN" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PYLON_PORT", "abc"),
        ("PYLON_PORT", "-1"),
        ("PYLON_PORT", "65536"),
        ("PYLON_PORT", "²"),
        ("PYLON_PORT", "9" * 5000),
        ("PYLON_PORT", "65533"),
        ("PYLON_HOST", "a b"),
        ("PYLON_DEV_MODE", "yes"),
        ("PYLON_CORS_ORIGIN", "https://app.example.com/"),
        ("PYLON_CORS_ORIGIN", "app.example.com"),
        ("PYLON_CORS_ORIGIN", "https://a.example\r\nX-Evil: 1"),
        ("PYLON_CORS_ORIGIN", "https://ä.example"),
        ("PYLON_CSRF_ORIGINS", "https://ok.example, https://bad.example/path"),
        ("PYLON_TRUSTED_ORIGINS", "javascript:alert(1)"),
        ("PYLON_ALLOWED_HOSTS", "https://app.example.com"),
        ("PYLON_ALLOWED_HOSTS", "app.example.com:4321"),
        ("PYLON_ADMIN_TOKEN", "töken"),
        ("PYLON_COOKIE_NAME", "a;b"),
        ("PYLON_COOKIE_DOMAIN", "a.example; Secure"),
        ("PYLON_COOKIE_SECURE", "maybe"),
        ("PYLON_COOKIE_SAME_SITE", "sometimes"),
        ("PYLON_FN_WORKERS", "0"),
        ("PYLON_FN_CALL_TIMEOUT", "nan"),
        ("PYLON_FN_CALL_TIMEOUT", "0"),
        ("PYLON_EXTRA_PORTS", "2"),
        ("PYLON_ACTIVE_THREADS", "0"),
        ("PYLON_DEFAULT_POLICY", "open"),
        ("PYLON_DRAIN_SECS", "inf"),
        ("PYLON_WS_MAX_FRAME", "16M"),
        ("PYLON_TRUST_PROXY_HOPS", "-1"),
        ("PYLON_ACCESS_LOG", "none"),
        ("PYLON_JWT_SECRET", "s"),
        ("DATABASE_URL", "mysql://localhost/app"),
    ],
)
def test_a_value_that_does_not_work_is_refused_with_a_hint(name: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ServerConfig.from_env(PRODUCTION | {name: value})

    assert name in (caught.value.hint or "")


def test_secrets_stay_out_of_messages_and_of_the_configuration_as_text() -> None:
    with pytest.raises(ConfigError) as bad_token:
        ServerConfig.from_env(PRODUCTION | {"PYLON_ADMIN_TOKEN": "sécret"})
    config = ServerConfig.from_env(
        PRODUCTION | {"PYLON_ADMIN_TOKEN": "s3cret", "DATABASE_URL": "postgres://me:s3cret@db/app"}
    )

    assert "cret" not in str(bad_token.value)
    assert "s3cret" not in repr(config)


FILE = str(Path(".pylon/dev.db"))


@pytest.mark.parametrize(
    ("environ", "url", "path"),
    [
        (PRODUCTION, None, FILE),
        (PRODUCTION | {"DATABASE_URL": "postgres://h/app"}, "postgres://h/app", FILE),
        (PRODUCTION | {"DATABASE_URL": "PostgreSQL://h/App"}, "postgresql://h/App", FILE),
        (DEV | {"DATABASE_URL": "postgres://h/app"}, "postgres://h/app", FILE),
        (PRODUCTION | {"DATABASE_URL": "/data/app.db"}, None, "/data/app.db"),
        (PRODUCTION | {"DATABASE_URL": "/data/app.db", "PYLON_DB_PATH": "other.db"}, None, "/data/app.db"),
        (DEV | {"DATABASE_URL": "/data/app.db", "PYLON_DB_PATH": "other.db"}, None, "other.db"),
        (DEV | {"DATABASE_URL": "mysql://localhost/other"}, None, FILE),
    ],
    ids=[
        *("nothing said", "postgres", "in any case", "postgres in dev mode", "a path", "a path before the other"),
        *("in dev mode no path", "in dev mode nothing of another project"),
    ],
)
def test_which_database_an_environment_means(environ: dict[str, str], url: str | None, path: str) -> None:
    config = ServerConfig.from_env(environ)

    assert (config.database_url, str(config.db_path)) == (url, path)


@pytest.mark.parametrize("name", [setting.name for setting in SETTINGS if setting.name != "PYLON_CSRF_ORIGINS"])
def test_a_variable_set_to_nothing_counts_as_unset(name: str) -> None:
    environ = DEV | ({} if name == "PYLON_DEV_MODE" else {name: " "})

    assert ServerConfig.from_env(environ) == ServerConfig.from_env(DEV)


def test_given_values_are_taken() -> None:
    config = ServerConfig.from_env(
        PRODUCTION
        | {
            "PYLON_PORT": "9999",
            "PYLON_HOST": "::1",
            "PYLON_CSRF_ORIGINS": " https://a.example , ,capacitor://localhost",
            "PYLON_TRUSTED_ORIGINS": "https://b.example",
            "PYLON_ADMIN_TOKEN": "t",
            "PYLON_COOKIE_NAME": "sid",
            "PYLON_COOKIE_DOMAIN": ".example.com",
            "PYLON_COOKIE_SECURE": "0",
            "PYLON_COOKIE_SAME_SITE": "None",
            "PYLON_EXTRA_PORTS": "0",
            "PYLON_DEFAULT_POLICY": "allow",
            "PYLON_TRUST_PROXY_HOPS": "2",
            "PYLON_ACCESS_LOG": "all",
        }
    )

    assert (config.port, config.host, config.admin_token) == (9999, "::1", "t")
    assert config.origins == OriginRule.of(["https://a.example", "capacitor://localhost"])
    assert config.trusted_origins == ("https://b.example",)
    assert config.cookie.of("app") == CookieConfig("sid", ".example.com", secure=False, same_site=SameSite.NONE)
    assert (config.extra_ports, config.default_policy_allows, config.trust_proxy_hops) == (False, True, 2)
    assert config.access_log is AccessLog.ALL


@pytest.mark.parametrize("environ", [DEV, PRODUCTION])
def test_a_set_but_empty_csrf_list_allows_no_foreign_page(environ: dict[str, str]) -> None:
    config = ServerConfig.from_env(environ | {"PYLON_CSRF_ORIGINS": ""})

    assert config.origins == OriginRule.of([])


@pytest.mark.parametrize(
    ("environ", "listed"),
    [
        ({"PYLON_CSRF_ORIGINS": "*"}, ["*"]),
        ({"PYLON_CSRF_ORIGINS": SITE}, [SITE]),
        ({"PYLON_CORS_ORIGIN": SITE}, [SITE]),
        ({"PYLON_CORS_ORIGIN": SITE, "PYLON_CSRF_ORIGINS": "https://a.example"}, ["https://a.example"]),
        ({"PYLON_CORS_ORIGIN": "*"}, []),
    ],
)
def test_in_dev_mode_pages_of_this_machine_are_allowed_beside_the_listed(
    environ: dict[str, str], listed: list[str]
) -> None:
    assert ServerConfig.from_env(DEV | environ).origins == OriginRule.of(listed, local=True)


@pytest.mark.parametrize(
    ("environ", "rule"),
    [
        (PRODUCTION, HostRule.of(["*", "app.example.com"], "0.0.0.0")),
        (PRODUCTION | {"PYLON_ALLOWED_HOSTS": "api.example.com"}, HostRule.of(HOSTS, "0.0.0.0")),
        (DEV, HostRule.of([], "127.0.0.1")),
        (DEV | {"PYLON_HOST": "My-Mac.local"}, HostRule.of([], "my-mac.local")),
        (DEV | PRODUCTION | {"PYLON_ALLOWED_HOSTS": " API.example.com,"}, HostRule.of(HOSTS, "127.0.0.1")),
        (
            DEV | {"PYLON_CSRF_ORIGINS": "null,*,https://a.example:8443", "PYLON_ALLOWED_HOSTS": "[fd00::1]"},
            HostRule.of(["a.example", "fd00::1"], "127.0.0.1"),
        ),
        (DEV | {"PYLON_ALLOWED_HOSTS": "*"}, HostRule.of(["*"], "127.0.0.1")),
    ],
)
def test_which_hosts_the_server_answers_to(environ: dict[str, str], rule: HostRule) -> None:
    assert ServerConfig.from_env(environ).hosts == rule


def test_every_variable_that_is_read_is_listed_and_every_listed_one_is_read() -> None:
    environ = Watched(PRODUCTION)

    ServerConfig.from_env(environ)

    assert environ.asked == {setting.name for setting in SETTINGS}


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_variable_says_what_it_means(setting: object) -> None:
    name, meaning, default = (getattr(setting, part) for part in ("name", "meaning", "default"))

    assert re.fullmatch(r"[A-Z][A-Z0-9_]+", name)
    assert meaning.endswith(".")
    assert default


@given(st.dictionaries(st.sampled_from([setting.name for setting in SETTINGS]), st.text(max_size=12)))
def test_no_environment_breaks_it_otherwise_than_with_a_hint(environ: dict[str, str]) -> None:
    outcome: ServerConfig | ConfigError
    try:
        outcome = ServerConfig.from_env(environ)
    except ConfigError as error:
        outcome = error

    if isinstance(outcome, ConfigError):
        assert outcome.hint
    else:
        assert outcome.dev_mode or outcome.cors_origin != "*"
