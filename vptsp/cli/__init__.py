"""The command line: thin, every command is a call that Python can make as well.

The commands are in a table, so that ``vptsp --help`` imports none of them. A command's file is imported when it is
invoked or its own help is asked for, and imports in turn what it needs only once its input has been accepted: no
command that lists, explains or refuses something imports torch.
"""

from __future__ import annotations

import click

from vptsp.cli.lazy import LazyCommands

# The command `name` is `command` in the file vptsp/cli/<name>.py; its help begins with the words that stand here.
COMMANDS = {
    "train": "Train a model and score it",
    "evaluate": "Score a run's checkpoint on its test images",
    "demo": "Train, evaluate and report on the embedded default",
    "report": "Write a run's report.html",
    "page": "Write a live page as one file",
    "figure": "Write a figure for a paper",
    "export": "Write a run's model to FILE",
    "runs": "List runs",
    "compare": "Compare runs, folders of runs, sweeps, ledgers",
    "sweep": "Run a notebook many times",
    "tune": "Search for learning rates and weight decay",
    "data": "Data sets: list, check, prepare and download them",
    "index": "An index of images on disk",
    "settings": "List every setting with its default and meaning",
    "presets": "List the presets, or print the settings of one",
    "recipes": "Recipe cards: what a preset needs, is expected to give, and gave us",
    "methods": "List the tuning methods and what each trains",
    "backbones": "List the backbones: the families, or the models whose name contains WORD",
    "notebooks": "List the workbench's notebooks",
    "lab": "Open JupyterLab in the current folder",
    "completion": "Print what makes Tab complete settings, presets and runs",
    "doctor": "Look at versions, device, threads, folders and disk",
}


@click.group(
    cls=LazyCommands, table=COMMANDS, package=__name__, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="vptsp-workbench")
def main() -> None:
    """Parameter-efficient deep metric learning with visual prompts and semantic proxies."""
