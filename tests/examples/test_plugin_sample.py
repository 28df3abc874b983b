"""The sample plugin, built and installed without a network, found through its entry point by a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SAMPLE = Path(__file__).parents[2] / "examples" / "plugin_sample"
ORDER = '{"order_id": "ORDER-123", "amount": "99.99", "currency": "usd"}'


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the installed plugin."""
    folder = tmp_path_factory.mktemp("site")
    options = ["--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--quiet"]
    made = subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, "--target", str(folder), str(SAMPLE)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    return folder


def ruvon(
    folder: Path, *args: str, path: tuple[Path, ...] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own, in a folder of its own."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("RUVON_", "STRIPE_"))}
    places = os.pathsep.join(map(str, path))
    settings = {
        "RUVON_CONFIG_PATH": str(folder / "config.yaml"),
        "RUVON_CACHE_DIR": str(folder / "cache"),
        "NO_COLOR": "1",
    }
    return subprocess.run(
        [sys.executable, "-c", "from ruvon.cli import main; main()", *args],
        cwd=folder,
        env={**inherited, **settings, "PYTHONPATH": places, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def shown(done: subprocess.CompletedProcess[str]) -> Any:
    """The JSON that a command printed."""
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def test_installing_it_is_enough_to_be_listed(site: Path, tmp_path: Path) -> None:
    """Version, and what it brings (S1-054, S1-056)."""
    done = ruvon(tmp_path, "plugins", "--json", path=(site,))
    assert done.returncode == 0, done.stderr
    assert shown(done) == {
        "plugins": [
            {
                "name": "ruvon-stripe",
                "version": "1.0.0",
                "description": "Payments with Stripe",
                "workflows": ["StripePayment"],
                "steps": ["confirm_payment", "create_payment_intent"],
                "step_types": ["RECEIPT"],
                "functions": ["cents"],
                "observers": ["ruvon_stripe.observer:PaymentJournal"],
                "problems": [],
            }
        ],
        "broken": [],
    }
    assert "RECEIPT" in ruvon(tmp_path, "plugins", path=(site,)).stdout


def test_its_workflow_is_started_by_its_type(site: Path, tmp_path: Path) -> None:
    """Its steps, its step type, its function and its observer all take part; another process goes on (S1-057, S1-059)."""
    service = {
        "STRIPE_API_KEY": "sk_test",
        "RUVON_STRIPE_CLIENT": "fake_stripe",
        "FAKE_STRIPE_CALLS": str(tmp_path / "calls.txt"),
        "RUVON_STRIPE_JOURNAL": str(tmp_path / "journal.txt"),
    }
    path = (site, SAMPLE / "tests")
    made = ruvon(tmp_path, "start", "StripePayment", "-d", ORDER, "--db", "runs.db", "--json", path=path, **service)
    run_id = shown(made)["workflow_id"]
    done = ruvon(tmp_path, "resume", run_id, "--auto", "--db", "runs.db", "--json", path=path, **service)
    assert shown(done)["status"] == "COMPLETED", done.stderr
    state = shown(ruvon(tmp_path, "show", run_id, "--db", "runs.db", "--json", path=path))["state"]
    assert (state["payment_confirmed"], state["receipt_sent"]) == (True, "Paid: 99.99 USD")
    calls = [json.loads(line) for line in (tmp_path / "calls.txt").read_text().splitlines()]
    assert [(item["what"], item.get("amount")) for item in calls] == [("create", 9999), ("confirm", None)]
    assert calls[0]["metadata"] == {"workflow_id": run_id, "order_id": "ORDER-123"}
    assert (tmp_path / "journal.txt").read_text().splitlines() == [
        "step Create_Payment_Intent",
        "step Confirm_Payment",
        "step Send_Receipt",
        "ACTIVE -> COMPLETED",
    ]


def test_a_missing_key_is_named_at_the_step(site: Path, tmp_path: Path) -> None:
    """Not at import (S1-061)."""
    done = ruvon(tmp_path, "run", "StripePayment", "-d", ORDER, "--db", "memory", path=(site,))
    assert done.returncode == 1
    assert "STRIPE_API_KEY is not set" in done.stdout + done.stderr


def test_a_workflow_of_ones_own_uses_its_types_and_functions(site: Path, tmp_path: Path) -> None:
    """Without naming the module for the step type."""
    (tmp_path / "mine.yaml").write_text(
        "workflow_type: Mine\n"
        "initial_state_model: ruvon_stripe.models:Payment\n"
        'uses: {cents: "ruvon_stripe.steps:cents"}\n'
        "automate_next: true\n"
        "steps:\n"
        "  - {name: Thank, type: RECEIPT, text: Thanks}\n"
        "  - {set: {state.payment_status: =str(cents(state.amount))}}\n"
    )
    done = ruvon(tmp_path, "run", "mine.yaml", "-d", ORDER, "--db", "runs.db", "--json", path=(site,))
    run_id = shown(done)["workflow_id"]
    state = shown(ruvon(tmp_path, "show", run_id, "--db", "runs.db", "--json", path=(site,)))["state"]
    assert (state["receipt_sent"], state["payment_status"]) == ("Thanks: 99.99 USD", "9999")


def test_its_own_tests_pass_where_it_is_installed(site: Path, tmp_path: Path) -> None:
    """As its author would run them (S1-053, S1-060)."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        "-c",
        os.devnull,
    ]
    done = subprocess.run(
        [*command, str(SAMPLE / "tests")],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(site), str(SAMPLE / "tests")]),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


def _saying(words: str) -> str:
    """A plugin that says nothing but this."""
    keys = "name version description workflows_dir steps_module models_module"
    return f"def plugin():\n    return dict.fromkeys('{keys}'.split()) | {words}\n"


BROKEN = {
    "cannot be imported": ("import no_such_package_at_all\n", "No module named 'no_such_package_at_all'"),
    "leaves": ("raise SystemExit(3)\n", "SystemExit"),
    "says too little": ("def plugin():\n    return {'name': 'x', 'version': '1'}\n", "it does not say its description"),
    "says nothing": ("def plugin():\n    return None\n", "returns None"),
    "has a word too much": (
        _saying("{'name': 'x', 'workflow_dir': 'y'}"),
        "it says workflow_dir, which means nothing",
    ),
    "has no such folder": (
        _saying("{'workflows_dir': '/no/such/folder'}"),
        "there is no folder /no/such/folder",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_plugin_is_left_out_in_one_sentence(kind: str, site: Path, tmp_path: Path) -> None:
    """The others are there, and no traceback is (S1-055)."""
    source, said = BROKEN[kind]
    place = _installed(tmp_path / "broken", source)
    done = ruvon(tmp_path, "plugins", "--json", path=(place, site))
    assert done.returncode == 1
    assert [item["name"] for item in shown(done)["plugins"]] == ["ruvon-stripe"]
    assert shown(done)["broken"][0]["entry_point"] == "bad"
    assert said in shown(done)["broken"][0]["reason"]
    assert done.stderr.startswith("the plugin `bad` is left out: ")
    assert len(done.stderr.splitlines()) == 1
    assert ruvon(tmp_path, "list", "--db", "memory", path=(place, site)).stderr.count("Traceback") == 0


def test_mistakes_in_a_workflow_of_a_plugin_concern_nobody_else(site: Path, tmp_path: Path) -> None:
    """Its file is left out, the workflows of others are there."""
    keys = "'name', 'version', 'description', 'workflows_dir', 'steps_module', 'models_module'"
    source = f"from pathlib import Path\ndef plugin():\n    said = dict.fromkeys([{keys}], 'bad_flows')\n"
    source += "    return {**said, 'workflows_dir': Path(__file__).parent / 'flows', 'steps_module': None}\n"
    place = _installed(tmp_path / "broken", source)
    (place / "flows").mkdir()
    (place / "flows" / "wrong.yaml").write_text("workflow_type: Wrong\nsteps: [{name: A, type: NO_SUCH}]\n")
    done = ruvon(tmp_path, "run", "StripePayment", "-d", ORDER, "--db", "memory", path=(place, site))
    assert "STRIPE_API_KEY is not set" in done.stdout + done.stderr
    assert "wrong.yaml of the plugin `bad_flows` cannot be used" in done.stderr
    assert "Traceback" not in done.stderr


def _installed(place: Path, source: str) -> Path:
    """A plugin of one module with its entry point, as an installer leaves it."""
    info = place / "bad-1.dist-info"
    info.mkdir(parents=True)
    (place / "bad_plugin.py").write_text(source)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bad\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[ruvon.plugins]\nbad = bad_plugin:plugin\n")
    return place
