"""The catalogue of error sentences is current, and what each tells its reader to do can be done."""

from __future__ import annotations

import inspect
import re
import tomllib
from pathlib import Path

import click
from sentences import HOLE, ROOT, Sentence, page, sentences

from vptsp.cli import COMMANDS, main
from vptsp.errors import ConfigError
from vptsp.runs.run import ELSEWHERE
from vptsp.settings.config import Config, make_config, parse_assignments

ALL = sentences()
COMMAND = re.compile(
    rf"\bvptsp ({'|'.join(COMMANDS)})\b(?: (list|check|prepare|download|build|add|remove|search)\b)?([^;,()]*)"
)
SETTING = re.compile(r"(?<![\w.'-])([a-z][a-z_]*)=([\w.\-]+)?")
EXTRA = re.compile(r"vptsp-workbench\[(\w+)\]")
# Words before a "=" that are no settings: arguments of functions that the sentence is raised by, or of notebooks.
ARGUMENTS = {
    *("alpha", "frame", "most", "source", "run", "n_neighbors", "min_dist", "resume", "key", "dimensions"),
    *("seeds", "notebook", "folder", "list", "random", "runs", "yes", "run_dir", "workers"),  # of a sweep
    *("cluster", "keep"),  # of a job, and of a search
    *("columns", "session"),  # of figures and of the course
}


def said(sentence: Sentence) -> str:
    return f"{sentence.module}.{sentence.function}: {sentence.text}"


def test_the_page_is_current() -> None:
    assert (ROOT / "docs" / "errors.md").read_text(encoding="utf-8") == page(), "make errors writes it"


def test_it_is_all_of_them() -> None:
    assert len(ALL) > 300
    rooms = {sentence.module.split(".")[1] for sentence in ALL}
    assert {"core", "settings", "data", "runs", "evaluation", "training", "notebooks", "sweeps", "analysis"} <= rooms


def commands_of(sentence: Sentence) -> list[tuple[str, click.Command, str]]:
    found = []
    for name, below, rest in COMMAND.findall(sentence.text):
        command = main.get_command(click.Context(main), name)
        if below and isinstance(command, click.Group):
            name, command = f"{name} {below}", command.commands[below]
        assert command is not None
        found.append((name, command, rest))
    return found


def test_the_commands_of_a_remedy_exist_with_their_options() -> None:
    tried = 0
    for sentence in ALL:
        for name, command, rest in commands_of(sentence):
            tried += 1
            options = {option for parameter in command.params for option in parameter.opts}
            given = set(re.findall(r"--[a-z-]+", rest))
            assert given <= options, f"vptsp {name} has no {given - options}: {said(sentence)}"
            names_something = any(word.startswith("{") or word.isupper() for word in rest.split())
            for parameter in command.params:
                if parameter.required and isinstance(parameter, click.Option) and names_something:
                    assert given & set(parameter.opts), f"{said(sentence)} lacks {parameter.opts[0]}"
    assert tried > 15


def test_options_that_stand_alone_belong_to_some_command() -> None:
    known = set()
    for name in COMMANDS:
        command = main.get_command(click.Context(main), name)
        for one in (command, *(command.commands.values() if isinstance(command, click.Group) else ())):
            known |= {option for parameter in one.params for option in parameter.opts}
    for sentence in ALL:
        text = re.sub(r"[{'\"][^ ]* -m pip [^;]*|git [^;]*", "", sentence.text)
        assert set(re.findall(r"(?<!\S)--[a-z][a-z-]+", text)) <= known, said(sentence)


def test_the_settings_of_a_remedy_exist_and_take_the_value() -> None:
    problems = []
    for sentence in ALL:
        for name, value in SETTING.findall(sentence.text):
            if name not in Config.model_fields:
                known = name in ARGUMENTS or sentence.module.startswith("vptsp_widgets")
                problems += [] if known else [f"{name} is no setting: {said(sentence)}"]
            elif value and not value.isupper() and name not in ("data_root", "data_cache", "query_csv"):
                problems += refusal(name, value)
    assert problems == []


def refusal(name: str, value: str) -> list[str]:
    """How a setting refuses a value; that it needs another setting beside it is no refusal of the value."""
    try:
        make_config(parse_assignments([f"{name}={value}"]))
    except ConfigError as error:
        return [str(error)] if re.match(rf"{name}='?{value}'?(:| is not known)", str(error), re.IGNORECASE) else []
    return []


def test_extras_that_are_to_be_installed_exist() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = {extra for sentence in ALL for extra in EXTRA.findall(sentence.text)}
    assert named
    assert named <= extras.keys()


def test_whoever_may_be_told_to_skip_bad_images_can() -> None:
    """A broken image is met in training, evaluation, checks, caches, and in folders that notebooks embed."""
    from vptsp.evaluation.evaluate import embed_folder

    assert {"skip_bad", "data_root", "device", "num_workers"} <= set(ELSEWHERE) <= set(Config.model_fields)
    assert "skip_bad" in inspect.signature(embed_folder).parameters
    assert (
        "skip_bad: bool | None" in (ROOT / "widgets" / "vptsp_widgets" / "run_or_folder.py").read_text()
    )  # open_source
    for name in ("01_train", "02_explore_embeddings", "03_retrieval_gallery"):
        assert "skip_bad: bool" in (ROOT / "notebooks" / f"{name}.ipynb").read_text()
    for words in (["train"], ["evaluate"], ["data", "check"], ["data", "prepare"]):
        command: click.Command | None = main
        for word in words:
            assert isinstance(command, click.Group)
            command = command.get_command(click.Context(command), word)
        assert command is not None
        assert "settings" in {parameter.name for parameter in command.params}


def test_a_pattern_matches_its_own_sentence_and_no_other() -> None:
    one = Sentence(f"{{file}}, row {HOLE}: {{column}} is empty", "DataError", "", "")
    assert one.pattern().fullmatch("/a/b.csv, row 3: label is empty")
    assert not one.pattern().fullmatch("/a/b.csv, row 3: label is full")


def test_a_run_can_be_started_again_from_its_own_settings(tmp_path: Path) -> None:
    config = make_config({"dataset": "digits", "lr": 0.5, "method": "linear"})
    (tmp_path / "config.json").write_text(config.model_dump_json())
    assert make_config(preset=str(tmp_path / "config.json")) == config
