"""A group of commands that knows their names and one line about each, and imports a command when it is wanted."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Mapping
from importlib import import_module
from typing import IO, Any

import click

from vptsp.errors import Note, UsageError


class Told(click.ClickException):
    """An error as one message, its first word red on a terminal."""

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"{click.style('Error', fg='red', bold=True)}: {self.format_message()}", file=file, err=file is None)


class LazyCommands(click.Group):
    """``table`` has a line for each command; the command itself is ``command`` in ``<package>.<name>``.

    Prints errors meant for the user as one message, without a traceback.
    """

    def __init__(self, *arguments: Any, table: Mapping[str, str], package: str, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.table, self.package = table, package

    def list_commands(self, context: click.Context) -> list[str]:
        return list(self.table)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in self.table:
            return None
        command: click.Command = import_module(f"{self.package}.{name.replace('-', '_')}").command
        return command

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Raises click's UsageError for a name that is none, with the names that are near."""
        if args and not args[0].startswith("-") and args[0] not in self.table:
            near = difflib.get_close_matches(args[0], self.table, n=2)  # click's own look knows no table
            hint = " or ".join(map(repr, near))
            context.fail(f"No such command {args[0]!r}." + (f" Did you mean {hint}?" if near else ""))
        return super().resolve_command(context, args)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(self.table.items()))

    def invoke(self, context: click.Context) -> object:
        warnings.formatwarning = _as_a_line  # type: ignore[assignment]
        try:
            return super().invoke(context)
        except UsageError as error:
            raise Told(str(error)) from None
        except click.NoSuchOption as error:
            setting = error.option_name.lstrip("-").replace("-", "_")
            if setting not in _settings():
                raise
            hint = f"{error.format_message()} Settings are given without dashes: {setting}=VALUE"
            raise click.UsageError(hint, error.ctx) from None
        except KeyboardInterrupt as stop:
            click.echo(str(stop) or "interrupted", err=True)
            raise SystemExit(130) from None


def _settings() -> set[str]:
    from vptsp.settings.config import Config

    return set(Config.model_fields)


_usual = warnings.formatwarning


def _as_a_line(message: Warning | str, category: type[Warning], *place: Any) -> str:
    """What is said of the data stands alone, without the line of code that says it."""
    return f"note: {message}\n" if issubclass(category, Note) else _usual(message, category, *place)
