"""The commands about definitions: compile, validate, convert, graph, explain, schema."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import rich_click as click

from ruvon.cli._findings import has_errors, print_findings, render_findings
from ruvon.cli._options import argument, option
from ruvon.cli._output import Exit, fail, print_json
from ruvon.cli._session import Store
from ruvon.cli._targets import Needs, compile_target, flow_files, import_roots, one_workflow, types_of_plugins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ruvon.cli._targets import Compiled
    from ruvon.ir import Definition, Diagnostic
    from ruvon_dsl import CompiledWorkflow
    from ruvon_dsl.printing._targets import Resolve

__all__ = [
    "Runnable",
    "compile_",
    "convert",
    "draw",
    "explain",
    "graph",
    "in_form",
    "require_one",
    "require_runnable",
    "schema",
    "validate",
]

_Checked: TypeAlias = "tuple[list[Diagnostic], list[Definition], Needs]"
"""Every finding, the definitions that are sound, and where their code may come from."""
_ROUNDS: Final = 10
"""Mended files are checked again so often: a fix may bring to light what another one mends."""
_NO_WORKFLOW: Final = "RV0371"
"""The finding that a target holds no workflow, or does not exist."""
_WORKFLOW = option("--workflow", "name", metavar="TYPE", help="Which workflow, where the target holds several.")
_ROOT = option(
    "--import-root", "roots", multiple=True, metavar="ROOT", help="A package or folder that code may come from."
)
_OUTPUT = option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file.")


@dataclass(frozen=True, slots=True)
class Runnable:
    """A sound workflow, and what running it needs."""

    definition: "Definition"
    family: "tuple[CompiledWorkflow, ...]"
    """It and the other workflows of its target: what it may start."""
    store: Store
    """The options of the command, with the import roots that the code needs."""


def require_one(target: str, roots: tuple[str, ...], name: str | None) -> "Definition":
    """Compile a target to one sound definition, or print its findings and end."""
    return _sound(target, compile_target(target, roots=roots), name).definition


def require_runnable(target: str, store: Store, name: str | None) -> Runnable:
    """One sound workflow with what it may start, or the findings and the end."""
    compiled = compile_target(target, roots=store.roots, workflows=store.workflows)
    registered = name is None and any(item.workflow_type == target for item in compiled.definitions)
    chosen = _sound(target, compiled, target if registered else name)
    others = tuple(item for item in compiled.workflows if item is not chosen)
    return Runnable(chosen.definition, (*others, chosen), store.also(compiled.needs))


def _sound(target: str, compiled: "Compiled", name: str | None) -> "CompiledWorkflow":
    print_findings(compiled.diagnostics)
    if has_errors(compiled.diagnostics):
        absent = not Path(target).exists() and all(item.code == _NO_WORKFLOW for item in compiled.diagnostics)
        raise SystemExit(int(Exit.NOT_FOUND if absent else Exit.FAILURE))
    found = one_workflow(compiled, name)
    if found is None:
        fail(f"{target} holds no workflow")
    return found


def deliver(text: str, output: Path | None) -> None:
    """Print a text, or write it to a file, whole or not at all; a device or a pipe is written to and stays one."""
    if output is None:
        click.echo(text, nl=not text.endswith("\n"))
        return
    if not output.parent.is_dir():
        fail(f"the folder {output.parent} does not exist", Exit.USAGE)
    whole = text if text.endswith("\n") else text + "\n"
    try:
        if output.exists() and not output.is_file():
            output.write_text(whole, encoding="utf-8")
        else:
            place = output.resolve()
            draft = place.with_name(place.name + ".new")
            draft.write_text(whole, encoding="utf-8")
            draft.replace(place)
    except OSError as exc:
        fail(f"{output} cannot be written: {exc.strerror}")
    click.echo(f"wrote {output}", err=True)


@click.command("compile")
@argument("target")
@_OUTPUT
@option("--format", "form", type=click.Choice(["json", "text", "yaml", "python"]), default="json", show_default=True)
@option("--digest", is_flag=True, help="Print the digest alone.")
@_WORKFLOW
@_ROOT
def compile_(
    target: str, output: Path | None, form: str, *, digest: bool, name: str | None, roots: tuple[str, ...]
) -> None:
    """Compile TARGET to its graph, checked and linked.

    Example: ruvon compile flows/order.py --format text
    """
    from ruvon import ir  # noqa: PLC0415

    runnable = require_runnable(target, Store(roots=roots), name)
    if digest:
        deliver(ir.digest(runnable.definition).hex(), output)
    else:
        deliver(_shortest(runnable, form), output)


def _shortest(runnable: Runnable, form: str) -> str:
    """A definition in a form, without what its code says already wherever the rest reads back as the same definition."""
    from ruvon import ir  # noqa: PLC0415

    if form not in {"yaml", "python"}:
        return in_form(runnable.definition, form)
    import ruvon_dsl  # noqa: PLC0415

    roots = import_roots(runnable.store.roots)
    text = in_form(runnable.definition, form, resolve=roots.load)
    kind: Literal["yaml", "python"] = "yaml" if form == "yaml" else "python"
    types = types_of_plugins(roots) if kind == "yaml" else None
    found = ruvon_dsl.compile_source(text, kind=kind, roots=roots, step_types=types)
    same = [item.digest for item in found.definitions] == [ir.digest(runnable.definition)]
    return text if found.ok and same else in_form(runnable.definition, form)


def in_form(definition: "Definition", form: str, *, resolve: "Resolve | None" = None) -> str:
    """A definition as `json`, `text`, `yaml` or `python`; with `resolve` without what its code says already."""
    from ruvon import ir  # noqa: PLC0415

    if form == "json":
        return ir.dump(definition, indent=True).decode()
    if form == "text":
        return ir.print_text(definition)
    import ruvon_dsl  # noqa: PLC0415

    printer = ruvon_dsl.to_yaml if form == "yaml" else ruvon_dsl.to_python
    return printer(definition, resolve=resolve)


@click.command()
@argument("paths", nargs=-1, required=True)
@option("--strict", is_flag=True, help="Warnings count as errors.")
@option("--fix", is_flag=True, help="Make the fixes that findings offer, in the files, and check again.")
@option("--no-import", is_flag=True, help="Check the text alone; import none of its code.")
@option("--format", "form", type=click.Choice(["text", "json", "sarif", "github"]), default="text")
@option("--json", "as_json", is_flag=True, help="The same as --format json.")
@option("--against", metavar="DATABASE", help="Also what the definitions would break for the live runs in it.")
@option("--portable", is_flag=True, help="Also what keeps steps from running in any worker.")
@option("--graph", "graph_form", type=click.Choice(["mermaid", "dot", "text", "svg"]), help="Draw what is sound.")
@_ROOT
def validate(
    paths: tuple[str, ...],
    *,
    strict: bool,
    fix: bool,
    no_import: bool,
    form: str,
    as_json: bool,
    against: str | None,
    portable: bool,
    graph_form: str | None,
    roots: tuple[str, ...],
) -> None:
    """Check definitions and print every finding: PATHS are files, folders or targets.

    The modules that a definition names are imported, which runs their top level; --no-import imports nothing.

    With --against the live runs of a database count too: those that the code would park (an error), those that could not
    be moved to the new definition, and fields that are removed while they have a value (warnings).

    With --portable the functions are looked at too: module variables that they change, files of the current folder, objects
    that cannot be stored (warnings).

    Example: ruvon validate flows/ --strict
    """
    form = "json" if as_json else form
    targets = list(_targets(paths))

    if against is not None and no_import:
        fail("--against runs the check of deployed code, which imports it; leave --no-import out", Exit.USAGE)
    if portable and no_import:
        fail("--portable looks at the functions, which imports them; leave --no-import out", Exit.USAGE)

    def check() -> _Checked:
        findings, sound, needs = _check(targets, roots, no_import=no_import, quiet=form != "text")
        if portable:
            from ruvon_dsl._portable import portable_findings  # noqa: PLC0415

            load = import_roots((*roots, *needs.roots)).load
            findings += [finding for definition in sound for finding in portable_findings(definition, load)]
        if against is not None:
            from ruvon.cli._against import live_findings  # noqa: PLC0415  # needs the engine

            findings += live_findings(sound, Store(against, roots).also(needs))
        return findings, sound, needs

    findings, sound, _ = _fixed(check(), check, err=form != "text") if fix else check()
    if form != "text":
        click.echo(render_findings(findings, form), nl=False)
    else:
        print_findings(findings, err=False, fixes=not fix)
        if not has_errors(findings, strict=strict):
            click.echo(f"{_count(len(sound), 'workflow')} in {_count(len(targets), 'file')}: sound")
    for definition in sound if graph_form else []:
        click.echo(draw(definition, graph_form or ""))
    if has_errors(findings, strict=strict):
        raise SystemExit(int(Exit.FAILURE))


def _check(targets: list[str], roots: tuple[str, ...], *, no_import: bool, quiet: bool) -> "_Checked":
    """Look at all targets."""
    from ruvon._clashes import clashes  # noqa: PLC0415

    homes: dict[str, None] = {}
    files: dict[str, None] = {}
    findings: list[Diagnostic] = []
    sound: list[CompiledWorkflow] = []
    with _progress(targets, quiet=quiet or len(targets) < 50) as items:
        for target in items:
            compiled = compile_target(target, roots=roots, check_only=no_import)
            findings.extend(compiled.diagnostics)
            sound.extend(compiled.workflows)
            homes.update(dict.fromkeys(compiled.roots))
            files.update(dict.fromkeys(compiled.files))
    return [*findings, *clashes(sound)], [item.definition for item in sound], Needs(tuple(homes), tuple(files))


def _fixed(checked: "_Checked", check: "Callable[[], _Checked]", *, err: bool) -> "_Checked":
    """Make the fixes that findings offer until there are none; what remains."""
    from ruvon.cli._fixes import make_fixes  # noqa: PLC0415

    for _ in range(_ROUNDS):
        done = make_fixes(checked[0])
        if not done:
            break
        click.echo("\n".join(done), err=err)
        checked = check()
    return checked


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"


def _targets(paths: tuple[str, ...]) -> "Iterator[str]":
    """Every target named, folders opened; YAML of other tools in them is left out."""
    for text in paths:
        path = Path(text)
        if not path.is_dir():
            yield text
            continue
        found = flow_files(path)
        if not found:
            fail(f"{path} holds no workflow file", Exit.NOT_FOUND)
        yield from (str(file) for file in found)


def _progress(targets: list[str], *, quiet: bool) -> "_Items":
    return _Items(targets, quiet=quiet)


class _Items:
    """The targets one by one, with a progress bar on a terminal when there are many."""

    def __init__(self, targets: list[str], *, quiet: bool) -> None:
        self._bar = None if quiet else click.progressbar(targets, label="checking")
        self._targets = targets

    def __enter__(self) -> "Iterator[str]":
        return iter(self._targets) if self._bar is None else iter(self._bar.__enter__())

    def __exit__(self, *exc: object) -> None:
        if self._bar is not None:
            self._bar.render_finish()


@click.command()
@argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@option("--to", "form", type=click.Choice(["python", "yaml"]), required=True, help="The form to turn it into.")
@_OUTPUT
@_WORKFLOW
@_ROOT
def convert(file: Path, form: str, output: Path | None, name: str | None, roots: tuple[str, ...]) -> None:
    """Turn a definition into the other form; the result compiles to the same digest.

    What the declarations of its steps say already is left out.

    Example: ruvon convert order.yaml --to python -o order.py
    """
    deliver(_shortest(require_runnable(str(file), Store(roots=roots), name), form), output)


@click.command()
@argument("target")
@option(
    "--format",
    "form",
    type=click.Choice(["mermaid", "dot", "text", "svg"]),
    help="Default: what the suffix of the output says, else `text`.",
)
@_OUTPUT
@_WORKFLOW
@_ROOT
def graph(target: str, form: str | None, output: Path | None, name: str | None, roots: tuple[str, ...]) -> None:
    """Draw TARGET.

    Example: ruvon graph shop.flows:order_processing -o order.svg
    """
    form = form or _form_of(output)
    deliver(draw(require_one(target, roots, name), form), output)


_DRAWN: Final = {".svg": "svg", ".dot": "dot", ".gv": "dot", ".mmd": "mermaid", ".mermaid": "mermaid"}
_NOT_DRAWN: Final = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp", ".pdf", ".html"})


def _form_of(output: Path | None) -> str:
    """The form of a drawing, by the suffix of its file."""
    suffix = "" if output is None else output.suffix.lower()
    if suffix in _NOT_DRAWN:
        fail(f"a drawing is .svg, .dot, .mmd or text, not {suffix}; choose one with --format", Exit.USAGE)
    return _DRAWN.get(suffix, "text")


def draw(definition: "Definition", form: str) -> str:
    """A definition as `mermaid`, `dot`, `text` or `svg`."""
    from ruvon.ir import drawing  # noqa: PLC0415

    forms = {
        "mermaid": drawing.to_mermaid,
        "dot": drawing.to_dot,
        "text": drawing.to_terminal,
        "svg": drawing.to_svg,
    }
    return forms[form](definition)


@click.command()
@argument("code", required=False)
@option("--json", "as_json", is_flag=True, help="Print JSON.")
def explain(code: str | None, *, as_json: bool) -> None:
    """Explain a diagnostic CODE such as RV0301; without one, list them all.

    Example: ruvon explain RV0301
    """
    from ruvon_dsl.diagnostics import catalogue, similar_codes  # noqa: PLC0415
    from ruvon_dsl.diagnostics import explain as page  # noqa: PLC0415

    codes = catalogue()
    if code is None:
        if as_json:
            print_json([{"code": name, "title": info.title} for name, info in codes.items()])
        else:
            click.echo("\n".join(f"{name}  {info.title}" for name, info in codes.items()))
        return
    if code.upper() not in codes:
        near = similar_codes(code)
        fail(f"there is no code {code}" + (f"; did you mean {', '.join(near)}?" if near else ""), Exit.NOT_FOUND)
    if as_json:
        info = codes[code.upper()]
        fields = ("title", "explanation", "bad", "good", "language")
        print_json({"code": code.upper(), **{name: getattr(info, name) for name in fields}})
    else:
        click.echo(page(code), nl=False)


@click.command()
@argument("kind", type=click.Choice(["yaml", "ir", "state"]), default="yaml")
@argument("target", required=False)
@_OUTPUT
@_WORKFLOW
@_ROOT
def schema(kind: str, target: str | None, output: Path | None, name: str | None, roots: tuple[str, ...]) -> None:
    """Print a JSON Schema: of YAML workflow files (for editors), of the compiled form, or of TARGET's state.

    Example: ruvon schema yaml -o ruvon.schema.json
    """
    from ruvon import ir  # noqa: PLC0415
    from ruvon.cli._output import to_json  # noqa: PLC0415

    if kind == "ir":
        deliver(to_json(ir.json_schema()), output)
    elif kind == "yaml":
        import ruvon_dsl.yaml  # noqa: PLC0415

        deliver(to_json(ruvon_dsl.yaml.json_schema()), output)
    else:
        if target is None:
            fail("`ruvon schema state` needs a TARGET", Exit.USAGE)
        definition = require_one(target, roots, name)
        deliver(to_json(definition.schemas.get(definition.state, {})), output)
