"""What the server is told from outside: by the environment (`RUVON_SERVER_*`), by options, or by whoever embeds it."""

import ipaddress
import os
from collections.abc import Mapping
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, model_validator

from ruvon.ir import RuvonError

__all__ = ["PREFIX", "ServerSettings", "ServerSettingsError", "is_loopback"]

PREFIX: Final = "RUVON_SERVER_"
_REQUESTS_PER_S: Final = 100.0
_SECRET: Final = frozenset({"admin_key", "approval_key"})
"""Settings whose values are never said."""
_ALSO: Final = {
    "db": "RUVON_DB_URL",
    "workflows": "RUVON_WORKFLOWS",
    "import_roots": "RUVON_IMPORT_ROOTS",
    "execution": "RUVON_EXECUTION",
    "secret_names": "RUVON_SECRET_NAMES",
    "custom_routers": "RUVON_CUSTOM_ROUTERS",
}
"""Settings that every command of Ruvon has, under the name that they have there."""


_OF_CLIENTS: Final = frozenset({f"{PREFIX}URL"})
"""Variables that say to others where a server is."""


class ServerSettingsError(RuvonError, ValueError):
    """The server cannot run with these settings; nothing was opened.

    Args:
        problems: what is wrong, one sentence each.
    """

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


def _items(given: object) -> object:
    """A list that a variable writes with commas."""
    return tuple(item.strip() for item in given.split(",") if item.strip()) if isinstance(given, str) else given


Names = Annotated[tuple[str, ...], BeforeValidator(_items)]


class ServerSettings(BaseModel):
    """How the server listens, what it serves and where its limits are.

    Each field is the variable `RUVON_SERVER_` and its name in capitals; lists are written with commas.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    host: str = "127.0.0.1"
    """The address to listen on."""
    port: int = Field(8000, ge=0, le=65535)
    """The port to listen on; 0 takes a free one."""
    db: str = "ruvon.db"
    """The store: a SQLite file, `memory`, or the URL of a PostgreSQL or Redis server. `RUVON_DB_URL` too."""
    workflows: Names = ()
    """Files and folders of workflows. `RUVON_WORKFLOWS` too."""
    import_roots: Names = ()
    """Packages and folders that workflows may take code from, beside their own folders. `RUVON_IMPORT_ROOTS` too."""
    secret_names: Names = ()
    """What `secret("NAME")` of an uploaded definition may name: `PRICES_TOKEN`, or `PRICES_*`. `RUVON_SECRET_NAMES` too."""
    execution: str = "queue"
    """Who runs steps: `queue` (workers), `postgres`, `celery`, or `sync` in this process. `RUVON_EXECUTION` too."""
    worker: bool | None = None
    """Run steps, timers and schedules in this process; where nothing is said, as long as the store is a file."""
    auth: str = "disabled"
    """Who says who asks: `disabled`, `api-key`, `jwt`, or `api-key,jwt` for both."""
    insecure_no_auth: bool = False
    """Listen on an address that others reach although nobody has to say who he is."""
    admin_key: SecretStr | None = None
    """A key that may do everything, to make the first keys with; at least 32 characters that nobody can guess."""
    admin_key_file: str | None = None
    """A file that holds that key."""
    roles: Names = ()
    """Roles beside admin, operator, viewer and device: `auditor=workflows:read+changes:read`."""
    jwt_issuer: str | None = None
    """Who issues tokens: their claim `iss`."""
    jwt_audience: str | None = None
    """For whom they are issued: their claim `aud`."""
    jwt_jwks: str | None = None
    """The public keys of the issuer: the URL (https) or the file of a JSON Web Key Set."""
    jwt_skew_s: float = Field(30.0, ge=0, le=600)
    """So much may the clocks of the issuer and of the server differ, in seconds."""
    jwt_roles_claim: str = Field("roles", min_length=1)
    """The claim that has the roles."""
    jwt_owner_claim: str = ""
    """The claim that has the owner, to whom the holder is then limited; none where nothing is said."""
    jwt_org_claim: str = "org_id"
    """The claim that has the organisation, to which the holder is limited; `-`: there is none, all see everything."""
    rate_limit_per_s: float | None = Field(None, ge=0)
    """So many requests a second one principal or address may send on and on; 0: any number. 100 where nothing is said."""
    rate_limit_burst: int = Field(200, ge=1)
    """So many may come at once."""
    trusted_proxies: Names = ()
    """Addresses and networks of proxies whose `X-Forwarded-For` is believed; none where none is named."""
    body_limit_bytes: int = Field(1_048_576, ge=1_024)
    """The largest body of a request; a larger one is answered with 413."""
    json_depth: int = Field(64, ge=4, le=200)
    """So deep may lists and objects of a request lie in each other."""
    wait_limit_s: float = Field(60.0, ge=0, le=3_600)
    """So long at most a request may ask to wait for a workflow, in seconds."""
    streams: int = Field(2_000, ge=1)
    """So many event streams are open at most; one more is answered with 429."""
    stream_heartbeat_s: float = Field(15.0, gt=0, le=3_600)
    """So often an event stream says that it lives when nothing happens, in seconds."""
    allowed_hosts: Names = ()
    """Values of the header `Host` that are answered; all where none is named."""
    cors_origins: Names = ()
    """Origins whose pages may read answers; none where none is named."""
    approval_key: SecretStr | None = Field(None, min_length=32)
    """Signs approval links; at least 32 characters that nobody can guess. Without it there are none."""
    public_url: str = Field("", pattern=r"^(https?://\S+)?$")
    """Where the server is reached from outside, for approval links, such as `https://flows.example.org`."""
    webhooks: bool = True
    """Send webhooks from this process; one process of a store is enough."""
    webhook_allow: Names = ()
    """Names and networks that are not public and that webhooks may reach, such as `hooks.internal,10.20.0.0/16`."""
    custom_routers: Names = ()
    """Dotted paths of Litestar routers, controllers and handlers to serve besides. `RUVON_CUSTOM_ROUTERS` too."""
    docs: bool = True
    """Serve the pages under `/docs` and the document `/openapi.json`."""
    shutdown_grace_s: float = Field(3.0, ge=0, le=3_600)
    """So long requests and steps under way may go on when the server is asked to end, in seconds."""
    dev: bool = False
    """For a developer's machine: run everything in this process, and say more."""

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        if self.is_open and not self.insecure_no_auth and not is_loopback(self.host):
            raise ValueError(
                f"the server would listen on {self.host} with nobody having to say who he is; choose an authentication "
                "provider (RUVON_SERVER_AUTH), listen on 127.0.0.1, or say --insecure-no-auth "
                "(RUVON_SERVER_INSECURE_NO_AUTH=true) where a network of yours is guard enough"
            )
        return self

    @property
    def providers(self) -> frozenset[str]:
        """The names of the authentication providers."""
        return frozenset(item.strip() for item in self.auth.split(","))

    @property
    def is_open(self) -> bool:
        """Whether nobody has to say who he is."""
        return "disabled" in self.providers

    @property
    def requests_per_s(self) -> float | None:
        """So many requests a second somebody may send; None: any number."""
        if self.rate_limit_per_s is None:
            return None if self.is_open else _REQUESTS_PER_S
        return self.rate_limit_per_s or None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None, **given: Any) -> Self:
        """The settings that variables say; what is given in code weighs more.

        Args:
            environ: the variables; those of the process where none are given.
            given: fields by name; None counts as not given.

        Raises:
            ServerSettingsError: a value cannot be used, or a variable of ours has a name that is none.
        """
        variables = os.environ if environ is None else environ
        known = {f"{PREFIX}{name.upper()}": name for name in cls.model_fields}
        unknown = sorted(name for name in variables if name.startswith(PREFIX) and name not in {*known, *_OF_CLIENTS})
        if unknown:
            raise ServerSettingsError(f"{unknown[0]} is no setting of the server; they are {', '.join(sorted(known))}")
        values: dict[str, Any] = {name: variables[also] for name, also in _ALSO.items() if variables.get(also)}
        values |= {name: variables[variable] for variable, name in known.items() if variables.get(variable)}
        values |= {name: value for name, value in given.items() if value is not None}
        try:
            return cls(**values)
        except ValidationError as exc:
            raise ServerSettingsError(*(_sentence(dict(item)) for item in exc.errors())) from None

    @property
    def store_is_file(self) -> bool:
        """Whether the store is a file, or the memory of this process."""
        return "://" not in self.db or self.db.startswith("sqlite:")

    @property
    def runs_steps(self) -> bool:
        """Whether steps, timers and schedules run in this process."""
        return self.dev or (self.store_is_file if self.worker is None else self.worker)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _sentence(error: Mapping[str, Any]) -> str:
    place = ".".join(map(str, error["loc"]))
    text = str(error["msg"]).removeprefix("Value error, ")
    if place in _SECRET:
        return f"the setting {place} cannot be used: {text}"
    return f"the setting {place} is {error.get('input')!r}: {text}" if place else text
