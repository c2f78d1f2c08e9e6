"""The same work without a window, in the same words.

Exit codes: 0 fine, 1 a bug, 2 wrong usage, 3 input that cannot be used, 4 cancelled.
With ``--json`` every command writes JSON to stdout, one document a line.
"""

from __future__ import annotations

import multiprocessing
import os
import shlex
import signal
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from app.terminal import BAD_INPUT, BUG, CANCELLED, FINE, Terminal, artifact_facts
from engines.core import UserError

COMMANDS = ("methods", "info", "import", "run", "resume", "export", "relink", "embed", "sample")
OWN_OPTIONS = ("--help", "--version", "--selftest", "--install-completion", "--show-completion", "-h")

cli = typer.Typer(
    name="fieldwright",
    no_args_is_help=False,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Learned geometry, fields and generative models: without arguments, or with a project file, the window opens"
    " (--sample NAME, --theme light|dark, --reset-settings)."
    "\n\nExit codes: 0 fine, 1 a bug, 2 wrong usage, 3 input that cannot be used, 4 cancelled.",
)

Machine = Annotated[bool, typer.Option("--json", help="JSON for machines, one document a line.")]
ProjectFile = Annotated[Path | None, typer.Option("--project", "-p", help="Project file; made when missing.")]
Inputs = Annotated[
    list[str] | None,
    typer.Option("--input", "-i", help="NAME=FILE, NAME=FORMAT:FILE, or NAME=@artifact of the project."),
]
Settings = Annotated[list[str] | None, typer.Option("--set", "-s", help="SETTING=VALUE; may be repeated.")]
Preset = Annotated[str | None, typer.Option(help="quick, standard, paper, …")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of all random numbers.")]
DeviceName = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
Exports = Annotated[list[str] | None, typer.Option("--export", "-e", help="OUTPUT=FILE; several results are numbered.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Threads for torch (default: all cores but one).")]
Isolated = Annotated[bool, typer.Option("--isolated", help="In a process of its own.")]


@cli.command("methods")
def methods_command(
    key: Annotated[str | None, typer.Argument(help="Show one method in full.")] = None,
    search: Annotated[str, typer.Option(help="Only those with these words.")] = "",
    machine: Machine = False,
) -> None:
    """List the methods, or show one with its settings."""
    from app.listing import show_method, show_methods
    from engines.core import catalog

    terminal = Terminal(machine)
    if key is None:
        show_methods(catalog(), search, terminal)
    else:
        show_method(catalog().get(key), terminal)


@cli.command("info")
def info_command(
    file: Path,
    options: Settings = None,
    format: Annotated[str | None, typer.Option(help="Read as this format.")] = None,
    machine: Machine = False,
) -> None:
    """Say what a file or a project holds."""
    from app.listing import show_loaded, show_project
    from app.project import Project

    terminal = Terminal(machine)
    if file.suffix == ".fieldwright":
        project = Project.open(_existing(file))
        try:
            show_project(project, terminal)
        finally:
            project.close()
    else:
        show_loaded(file, _read(file, options, format), terminal)


@cli.command("import")
def import_command(
    files: Annotated[list[Path], typer.Argument(help="Files to load.")],
    project: Annotated[Path, typer.Option("--project", "-p", help="Project file; made when missing.")],
    options: Settings = None,
    format: Annotated[str | None, typer.Option(help="Read as this format.")] = None,
    link: Annotated[bool, typer.Option("--link", help="Leave the data in their files and link to them.")] = False,
    machine: Machine = False,
) -> None:
    """Load files into a project. Nothing is added unless all can be read."""
    from app.headless import items_of, opened

    terminal = Terminal(machine)
    loaded = [(file, _read(file, options, format)) for file in files]
    with opened(project, terminal) as target:
        for file, found in loaded:
            for problem in found.problems:
                terminal.warn(f"{file.name}: {problem}")
            for item in items_of(file, found, _reader(file, format), _pairs(options), link=link):
                (entry,), artifact = target.add_all([item], f"Import {file.name}"), item.artifact
                if machine:
                    terminal.json({"event": "added", "id": entry.id, "name": entry.name, **artifact_facts(artifact)})
                else:
                    terminal.say(f"{entry.name}  {entry.summary}  ({entry.id})")
        target.save()


@cli.command("run")
def run_command(
    key: Annotated[str, typer.Argument(help="The method; see: fieldwright methods.")],
    inputs: Inputs = None,
    preset: Preset = None,
    settings: Settings = None,
    seed: Seed = 0,
    device: DeviceName = "auto",
    project: ProjectFile = None,
    exports: Exports = None,
    threads: Threads = None,
    isolated: Isolated = False,
    machine: Machine = False,
) -> None:
    """Run a method on files or on artifacts of a project."""
    from app.headless import NewRun, opened, run

    terminal = Terminal(machine)
    wanted = NewRun(key, inputs or [], preset, _pairs(settings), seed, device, _pairs(exports), isolated)
    with opened(project, terminal, optional=True) as target:
        raise typer.Exit(run(wanted, target, threads, terminal))


@cli.command("sample")
def sample_command(
    key: Annotated[str, typer.Argument(help="The method.")] = "orex",
    seed: Seed = 0,
    device: DeviceName = "auto",
    project: ProjectFile = None,
    exports: Exports = None,
    threads: Threads = None,
    isolated: Isolated = False,
    machine: Machine = False,
) -> None:
    """Run a method on its own sample: inputs and settings that take less than a minute."""
    from app.headless import NewRun, opened, run

    wanted = NewRun(key, [], None, {}, seed, device, _pairs(exports), isolated, sample=True)
    terminal = Terminal(machine)
    with opened(project, terminal, optional=True) as target:
        raise typer.Exit(run(wanted, target, threads, terminal))


@cli.command("resume")
def resume_command(
    project: Path,
    run_id: Annotated[str | None, typer.Argument(metavar="RUN", help="Its id or title; default: the latest.")] = None,
    exports: Exports = None,
    threads: Threads = None,
    isolated: Isolated = False,
    machine: Machine = False,
) -> None:
    """Go on with a run from its last checkpoint."""
    from app.headless import opened, resume

    terminal = Terminal(machine)
    with opened(_existing(project), terminal) as target:
        raise typer.Exit(resume(run_id, target, _pairs(exports), threads, isolated, terminal))


@cli.command("export")
def export_command(
    project: Path,
    artifact: Annotated[str, typer.Argument(help="Name or id of an artifact, or of a run for its curves.")],
    out: Path,
    options: Settings = None,
    format: Annotated[str | None, typer.Option(help="Write as this format.")] = None,
    machine: Machine = False,
) -> None:
    """Write an artifact of a project to a file."""
    from app.headless import export, opened

    terminal = Terminal(machine)
    with opened(_existing(project), terminal, writing=False) as source:
        export(source, artifact, out, _pairs(options), format, terminal)
    if machine:
        terminal.json({"event": "written", "path": str(out), "bytes": out.stat().st_size})
    else:
        terminal.say(f"Wrote {out}")


@cli.command("relink")
def relink_command(
    project: Path,
    artifact: Annotated[str, typer.Argument(help="Name or id of a linked artifact.")],
    file: Annotated[Path, typer.Argument(help="Where its file lies now.")],
) -> None:
    """Say where the file of a linked artifact lies now."""
    from app.headless import find_entry, opened

    with opened(_existing(project), Terminal(False)) as target:
        target.relink(find_entry(target, artifact).id, file)
        target.save()


@cli.command("embed")
def embed_command(
    project: Path,
    artifacts: Annotated[list[str], typer.Argument(help="Names or ids of linked artifacts.")],
) -> None:
    """Take linked artifacts into the project, so that it no longer needs their files."""
    from app.headless import find_entry, opened

    with opened(_existing(project), Terminal(False)) as target:
        for text in artifacts:
            target.embed(find_entry(target, text).id)
        target.save()


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import PackageNotFoundError, version

        try:
            print(f"fieldwright {version('fieldwright')}")
        except PackageNotFoundError:
            print("fieldwright (from source)")
        raise typer.Exit(FINE)


def _selftest(asked: bool) -> None:
    if asked:
        from app.selftest import selftest

        raise typer.Exit(selftest())


@cli.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Say it.")] = False,
    selftest: Annotated[bool, typer.Option("--selftest", callback=_selftest, is_eager=True, hidden=True)] = False,
) -> None:
    pass


def _existing(path: Path) -> Path:
    if not path.exists():
        raise UserError(f"There is no file '{path}'.", mend="Check the path.")
    return path


def _pairs(texts: list[str] | None) -> dict[str, str]:
    """``["a=1", "b=x=y"]`` as a dictionary. Raises a usage error (exit 2)."""
    found = {}
    for text in texts or []:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"'{text}' should read NAME=VALUE.")
        found[name.strip()] = value
    return found


def _reader(file: Path, format: str | None) -> str:
    from engines.files import readers_for

    return format or readers_for(file)[0].key


def _read(file: Path, options: list[str] | None, format: str | None) -> Any:
    from engines.files import READERS, read, readers_for

    if format is not None and format not in READERS:
        raise UserError(f"There is no format '{format}'.", mend=f"Use one of: {', '.join(sorted(READERS))}.")
    readers = [READERS[format]] if format else readers_for(file)
    chosen = readers[0].options.parse(_pairs(options)) if options and readers else None
    return read(file, chosen, format)


def _is_for_window(arguments: list[str]) -> bool:
    """Everything but our commands and options belongs to the window: nothing, a project, ``--sample`` and so on."""
    if not arguments:
        return True
    first = arguments[0]
    if first in COMMANDS or first.split("=")[0] in OWN_OPTIONS:
        return False
    return first.startswith("-") or first.endswith(".fieldwright") or os.path.exists(first)


def _cancelled(number: int, frame: object) -> NoReturn:
    raise SystemExit(CANCELLED)


def main(arguments: list[str] | None = None) -> int:
    """The program ``fieldwright``. Returns its exit code."""
    multiprocessing.freeze_support()
    arguments = sys.argv[1:] if arguments is None else arguments
    if _is_for_window(arguments):
        from app.window.launch import launch

        return launch(arguments)
    terminal = Terminal("--json" in arguments)
    before = signal.signal(signal.SIGINT, _cancelled)
    try:
        cli(arguments, prog_name="fieldwright")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else FINE if end.code is None else BUG
    except UserError as error:
        terminal.error(error)
        return BAD_INPUT
    except BrokenPipeError:  # ``fieldwright methods | head``
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINE
    except Exception:
        terminal.bug(f"fieldwright {shlex.join(arguments)}\n{traceback.format_exc()}")
        return BUG
    finally:
        signal.signal(signal.SIGINT, before)
    return FINE
