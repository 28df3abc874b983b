"""The files that deploy the shop: they can be read, and every command, option, variable and module in them exists."""

import importlib.util
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from configparser import ConfigParser
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from examples.distributed.ledger import URL
from ruvon.cli._app import cli
from tests.support.processes import BIN

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "examples" / "distributed" / "deploy"
UNITS = sorted(DEPLOY.glob("systemd/*.service"))
KUSTOMIZATION = DEPLOY / "kubernetes" / "kustomization.yaml"
MANIFESTS = sorted(set(DEPLOY.glob("kubernetes/*.yaml")) - {KUSTOMIZATION})
DRAIN_S = 60
GIVING_BACK_S = 10
"""What a worker has behind its grace, to give back what is left."""
_HARDENING = {
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "CapabilityBoundingSet": "",
    "RestrictNamespaces": "yes",
    "SystemCallArchitectures": "native",
}


@cache
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return found


@cache
def manifests() -> tuple[dict[str, Any], ...]:
    """Every object of the manifests."""
    return tuple(found for path in MANIFESTS for found in yaml.safe_load_all(path.read_text()))


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    return {item["metadata"]["name"]: item for item in manifests() if item["kind"] == kind}


def unit(path: Path) -> ConfigParser:
    parser = ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(path)
    return parser


def containers(item: dict[str, Any]) -> list[dict[str, Any]]:
    spec = item["spec"]["template"]["spec"]
    return [*spec.get("initContainers", []), *spec["containers"]]


def commands() -> Iterator[tuple[str, list[str]]]:
    """Where, and what is started there."""
    for name, service in compose()["services"].items():
        command = service.get("command", [])
        yield f"compose {name}", shlex.split(command[2]) if command[:2] == ["sh", "-c"] else command
    for path in UNITS:
        yield path.name, shlex.split(unit(path)["Service"]["ExecStart"])
    for item in (*of_kind("Deployment").values(), *of_kind("Job").values()):
        for container in containers(item):
            yield f"kubernetes {container['name']}", [*container["command"], *container.get("args", [])]
    last = re.findall(r"^CMD (\[.*\])$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    yield "Dockerfile", yaml.safe_load(last[0])


COMMANDS = list(commands())


@pytest.mark.parametrize(("where", "command"), COMMANDS, ids=[where for where, _ in COMMANDS])
def test_a_command_that_is_started_exists(where: str, command: list[str]) -> None:
    """Commands of `ruvon` are parsed by its own parser, `python -m` names modules that are there."""
    if not command or command[0] == "redis-server":
        return
    match Path(command[0]).name:
        case "ruvon":
            parse(command[1:])
        case "python":
            assert command[1] == "-m"
            assert importlib.util.find_spec(command[2]) is not None
        case "celery":
            assert command[1:4] == ["-A", "ruvon.celery_app", "worker"]
            assert set(re.findall(r"--[a-z]+", " ".join(command))) <= {"--loglevel", "--concurrency"}
        case other:
            pytest.fail(f"{where} starts `{other}`")


def parse(arguments: list[str]) -> None:
    """As the command line does, but without doing it."""
    command: click.Command = cli
    while isinstance(command, click.Group):
        name = arguments[0]
        assert name in command.commands, name
        command, arguments = command.commands[name], arguments[1:]
    filled = [re.sub(r"%[a-zA-Z]|\$\(\w+\)", "x", argument) for argument in arguments]
    command.make_context("ruvon", filled)


def variables() -> dict[str, set[str]]:
    """The environment of each place."""
    found = {f"compose {name}": set(item.get("environment", {})) for name, item in compose()["services"].items()}
    found |= {f"{kind} {name}": set(item["stringData"]) for kind in ("Secret",) for name, item in of_kind(kind).items()}
    found |= {f"ConfigMap {name}": set(item["data"]) for name, item in of_kind("ConfigMap").items()}
    lines = (DEPLOY / "systemd" / "ruvon.env").read_text().splitlines()
    found["ruvon.env"] = {line.partition("=")[0] for line in lines if line and not line.startswith("#")}
    image = re.findall(r"([A-Z_]+)=", (DEPLOY / "Dockerfile").read_text())
    return {**found, "Dockerfile": set(image)}


@pytest.mark.parametrize(("where", "names"), variables().items(), ids=list(variables()))
def test_a_variable_that_is_set_is_read_by_somebody(where: str, names: set[str]) -> None:
    """Each is one of Ruvon's settings, of its pool, of the shop, or of the server that it is given to."""
    texts = "\n".join(path.read_text() for path in (ROOT / "ruvon").rglob("*.py"))
    others = {URL, "PYTHONPATH", "PYTHONUNBUFFERED"}
    if where == "compose postgres":
        others |= {"POSTGRES_USER", "POSTGRES_PASSWORD"}
    unknown = {name for name in names - others if f'"{name}"' not in texts and not _of_pool(name, texts)}

    assert unknown == set()


def _of_pool(name: str, texts: str) -> bool:
    """Variables of the pool are spelled from their field's name."""
    return name.startswith("POSTGRES_POOL_") and f'"{name.removeprefix("POSTGRES_POOL_")}' in texts.upper()


def test_the_compose_file_has_what_the_shop_needs() -> None:
    """Two workers, Celery, a scheduler; the tables are there before anybody starts, and everybody has time to drain."""
    services = compose()["services"]
    ours = {name: item for name, item in services.items() if item.get("image") == "shop"}

    assert services["worker"]["deploy"]["replicas"] == 2
    assert {"celery", "scheduler", "zombie-daemon", "application", "migrate"} <= ours.keys()
    for name in ("worker", "celery", "scheduler", "zombie-daemon"):
        assert ours[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
        assert ours[name]["stop_grace_period"] == f"{DRAIN_S}s"
    context = (DEPLOY / ours["worker"]["build"]["context"]).resolve()
    assert context == ROOT
    assert (context / ours["worker"]["build"]["dockerfile"]).is_file()
    copied = re.findall(r"^COPY (.+) \S+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    assert all((ROOT / name).exists() for line in copied for name in line.split())


def test_the_grace_of_a_worker_lies_within_what_ends_it() -> None:
    """The drain is what systemd, Kubernetes and compose wait: the grace of the worker, and the time to give back."""
    graces = [int(command[command.index("--grace") + 1]) for _, command in COMMANDS if "--grace" in command]

    assert len(graces) == 4
    assert set(graces) == {DRAIN_S - GIVING_BACK_S}
    assert {unit(path)["Service"]["TimeoutStopSec"] for path in UNITS} == {str(DRAIN_S)}
    pods = [item["spec"]["template"]["spec"] for item in of_kind("Deployment").values()]
    assert {pod["terminationGracePeriodSeconds"] for pod in pods} == {DRAIN_S}


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_is_hardened_and_comes_back(path: Path) -> None:
    """It runs as a user without rights, is started again, and is asked to end before it is made to."""
    service = unit(path)["Service"]

    assert {name: service[name] for name in _HARDENING} == _HARDENING
    assert (service["User"], service["Restart"]) == ("ruvon", "always")
    assert (service["KillSignal"], service["KillMode"]) == ("SIGTERM", "mixed")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here")
@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_systemd_accepts_a_unit(path: Path, tmp_path: Path) -> None:
    """`systemd-analyze verify` has nothing to say, with the command at the place where it is here."""
    copy = tmp_path / path.name
    copy.write_text(path.read_text().replace("/opt/shop/bin/ruvon", str(BIN / "ruvon")))

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True, check=False
    )

    ours = [line for line in done.stderr.splitlines() if path.stem in line]
    assert (done.returncode, ours) == (0, [])


def test_the_pods_are_what_their_budgets_and_probes_speak_of() -> None:
    """Selectors fit labels, the probes look at the file that the worker writes, secrets and settings are there."""
    pods = {name: item["spec"]["template"] for name, item in of_kind("Deployment").items()}
    labels = {name: pod["metadata"]["labels"] for name, pod in pods.items()}

    for name, item in of_kind("Deployment").items():
        assert item["spec"]["selector"]["matchLabels"] == labels[name]
    for name, budget in of_kind("PodDisruptionBudget").items():
        assert budget["spec"]["selector"]["matchLabels"] == labels[name]
    assert {"shop-worker", "shop-celery"} <= of_kind("PodDisruptionBudget").keys()
    (worker,) = pods["shop-worker"]["spec"]["containers"]
    file = worker["args"][worker["args"].index("--health-file") + 1]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert file in worker[probe]["exec"]["command"][-1]
    assert any(file.startswith(mount["mountPath"]) for mount in worker["volumeMounts"])
    for item in (*of_kind("Deployment").values(), *of_kind("Job").values()):
        for container in containers(item):
            sources = [next(iter(source.values()))["name"] for source in container["envFrom"]]
            assert sources == ["shop", "shop"]
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert of_kind("Job")["shop-migrate"]["spec"]["template"]["spec"]["containers"][0]["command"][-1] == "migrate"


def test_the_manifests_are_all_applied() -> None:
    """`kubectl apply -k` takes every file of the folder."""
    found = yaml.safe_load(KUSTOMIZATION.read_text())

    assert sorted(found["resources"]) == [path.name for path in MANIFESTS]


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl here")
def test_kubectl_puts_the_manifests_together() -> None:
    """What it would apply are the objects of the files, in their namespace."""
    done = subprocess.run(
        ["kubectl", "kustomize", str(KUSTOMIZATION.parent)], capture_output=True, text=True, check=True
    )

    made = [item for item in yaml.safe_load_all(done.stdout) if item["kind"] != "Namespace"]
    assert len(made) == len(manifests()) - 1
    assert {item["metadata"]["namespace"] for item in made} == {"shop"}
