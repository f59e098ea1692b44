"""What a sweep asks for: sections, YAML, random search, and what is refused before anything starts."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import toy, write_notebook

import vptsp
from vptsp.errors import UsageError
from vptsp.notebooks.parameters import read_signature
from vptsp.settings.config import Config, make_config
from vptsp.sweeps import Sweep, make_plan, read_sweep
from vptsp.sweeps.plan import _COMPUTES, _SHOWS, code_key
from vptsp.sweeps.random_search import draw
from vptsp.sweeps.spec import sweep_from, sweep_names
from vptsp.sweeps.yaml12 import read_yaml

NAMES = st.sampled_from(["lr", "alpha", "epochs", "num_prompts", "method", "loss_scale"])
AXES = st.dictionaries(NAMES, st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True), max_size=3)


def runs(sweep: Sweep) -> list[dict[str, Any]]:
    return [values for _, values in sweep.runs()]


# --- sections ---------------------------------------------------------------------------------------
@given(grid=AXES, seeds=st.integers(1, 3), listed=st.integers(1, 3), drawn=st.integers(1, 3))
def test_sections_multiply_and_every_combination_comes_once(
    grid: dict[str, list[int]], seeds: int, listed: int, drawn: int
) -> None:
    sweep = Sweep(
        "01_train",
        parameters={"preset": "demo"},
        grid=grid or None,
        list=[{"embedding_size": number} for number in range(listed)],
        random={"runs": drawn, "parameters": {"ema_keep": {"uniform": [0, 1]}}},
        seeds=seeds,
    )
    made = runs(sweep)
    assert len(made) == sweep.count() == math.prod(map(len, grid.values())) * seeds * listed * drawn
    assert len({json.dumps(values, sort_keys=True) for values in made}) == len(made)
    for values in made:
        assert all(values[name] in grid[name] for name in grid)
        assert values["preset"] == "demo"
    by_seed = [values["seed"] for values in made]
    assert by_seed == sorted(by_seed)  # slowest, so that every setting has run once before the second seed


@given(rows=st.lists(st.tuples(st.integers(), st.integers()), min_size=1, max_size=6))
def test_zip_goes_side_by_side(rows: list[tuple[int, int]]) -> None:
    first, second = zip(*rows, strict=True)
    sweep = Sweep("01_train", zip={"epochs": first, "num_prompts": second})
    assert [(values["epochs"], values["num_prompts"]) for values in runs(sweep)] == rows


def test_entries_of_a_list_win_over_parameters_and_carry_names() -> None:
    sweep = Sweep("01_train", parameters={"lr": 0.1}, list={"slow": {"lr": 0.01}, "usual": {}}, seeds=[4])
    assert list(sweep.runs()) == [("slow", {"lr": 0.01, "seed": 4}), ("usual", {"lr": 0.1, "seed": 4})]


@pytest.mark.parametrize(
    ("sections", "complaint"),
    [
        ({"grid": {}}, "grid is empty, so there is nothing to run"),
        ({"grid": {"lr": []}}, "grid: lr has no values"),
        ({"grid": {"lr": None}}, "grid: lr has no values"),
        ({"grid": {"lr": 0.1}}, r"grid: lr=0.1 is not a list; write \[0.1\]"),
        ({"grid": {"method": "linear"}}, "grid: method='linear' is not a list"),
        ({"grid": [1]}, "is not a mapping from parameter names"),
        ({"zip": {"lr": [1, 2], "alpha": [1]}}, "equally long; lr has 2, alpha has 1"),
        ({"list": []}, "list is empty"),
        ({"list": [3]}, "list=3 is not a mapping"),
        ({"seeds": 0}, "asks for no seeds"),
        ({"seeds": -1}, "asks for no seeds"),
        ({"seeds": [True]}, "neither a number of seeds"),
        ({"seeds": [0], "grid": {"seed": [1]}}, "seed is in grid and in seeds"),
        ({"grid": {"lr": [1]}, "zip": {"lr": [1]}}, "lr is in grid and in zip"),
        ({"grid": {"lr": [1]}, "parameters": {"lr": 1}}, "lr=1 would have no effect, because grid gives lr"),
        ({"random": {"runs": 2}}, "needs runs and parameters"),
        ({"random": {"runs": 0, "parameters": {"lr": {"uniform": [0, 1]}}}}, "runs=0 is not a number of runs"),
        ({"random": {"runs": 2, "parameters": {"lr": {"normal": [0, 1]}}}}, "is not a distribution"),
        ({"random": {"runs": 2, "parameters": {"lr": {"uniform": [1, 0]}}}}, "the smaller first"),
        ({"random": {"runs": 2, "parameters": {"lr": {"loguniform": [0, 1]}}}}, "two numbers above 0"),
        ({"random": {"runs": 2, "parameters": {"lr": {"int": [0.5, 1]}}}}, "two whole numbers"),
        ({"random": {"runs": 2, "parameters": {"lr": {"choice": []}}}}, "needs a list with something in it"),
    ],
)
def test_sections_that_make_no_sense_are_refused(sections: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        Sweep("01_train", **sections)


# --- random search ----------------------------------------------------------------------------------
@given(seed=st.integers(), low=st.floats(1e-6, 1), factor=st.floats(1.01, 1e6), runs=st.integers(1, 20))
def test_draws_stay_in_range_and_more_runs_begin_with_the_same(seed: int, low: float, factor: float, runs: int) -> None:
    ends = [low, low * factor]
    parameters = {"u": {"uniform": ends}, "l": {"loguniform": ends}, "i": {"int": [-3, 3]}, "c": {"choice": ["a", 2]}}
    drawn = draw(parameters, runs, seed)
    assert drawn == draw(parameters, runs + 5, seed)[:runs]
    assert [values["l"] for values in drawn] == [values["l"] for values in draw({"l": parameters["l"]}, runs, seed)]
    for values in drawn:
        assert ends[0] <= values["u"] <= ends[1]
        assert ends[0] <= values["l"] <= ends[1]
        assert values["i"] in range(-3, 4)
        assert values["c"] in ("a", 2)


def test_loguniform_spends_as_many_draws_on_each_decade() -> None:
    drawn = [values["lr"] for values in draw({"lr": {"loguniform": [1e-4, 1e-1]}}, 3000, seed=0)]
    decades = [sum(10.0**power <= value < 10.0 ** (power + 1) for value in drawn) for power in (-4, -3, -2)]
    assert all(800 < count < 1200 for count in decades)


# --- YAML -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5e-3", 5e-3),
        ("1E5", 1e5),
        ("1.", 1.0),
        (".5", 0.5),
        ("-2e+3", -2000.0),
        ("12", 12),
        ("-3", -3),
        ("010", 10),
        ("1:30", "1:30"),
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("2024-01-01", "2024-01-01"),
        ("'5e-3'", "5e-3"),
        ("1_000", "1_000"),
        ("e5", "e5"),
    ],
)
def test_plain_values_are_read_as_yaml_1_2_has_them(text: str, value: Any) -> None:
    read = read_yaml(f"key: {text}\n", "file")["key"]
    assert read == value
    assert type(read) is type(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_that_python_prints_is_read_as_that_float(value: float) -> None:
    assert read_yaml(f"[{value!r}]", "file") == [value]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("notebook: a\ngrid: {lr: [1], lr: [2]}", "night.yaml, line 2: 'lr' is given twice"),
        ("grid: {lr: [1]}\nnotebook: a\ngrid: {lr: [2]}", "line 3: 'grid' is given twice"),
        ("grid: [1", "night.yaml, line 1"),
        ("x: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
    ],
)
def test_files_that_cannot_be_meant_are_refused_with_the_line(text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        read_yaml(text, "night.yaml")


def test_anchors_and_merges_work() -> None:
    data = read_yaml("base: &base {lr: 1e-3}\nlist:\n  - {<<: *base, seed: 1}\n", "file")
    assert data["list"] == [{"lr": 1e-3, "seed": 1}]


def test_a_file_becomes_a_sweep_with_a_folder_of_its_name(tmp_path: Path) -> None:
    path = tmp_path / "rates.yaml"
    path.write_text("notebook: 01_train\ngrid: {lr: [5e-3, 1e-2]}\nseeds: 2\n")
    sweep = read_sweep(path)
    assert sweep == Sweep("01_train", grid={"lr": [5e-3, 1e-2]}, seeds=2, folder="runs/sweeps/rates")
    assert sweep_from(json.loads(json.dumps(sweep.as_dict())), "sweep.json") == sweep
    for text, complaint in {
        "grid: {lr: [1]}": "it needs notebook",
        "notebook: 01_train\ngird: {lr: [1]}": "gird is not a section of a sweep; did you mean grid",
        "notebook: 01_train\ngrid:": "grid is empty",
        "just words": "is not a sweep",
    }.items():
        path.write_text(text)
        with pytest.raises(UsageError, match=complaint):
            read_sweep(path)
    with pytest.raises(UsageError, match=r"missing.yaml cannot be read"):
        read_sweep(tmp_path / "missing.yaml")
    with pytest.raises(UsageError, match="sweep 'table2' is not known"):
        read_sweep("table2")


# --- against the notebook ---------------------------------------------------------------------------
def planned(**sections: Any) -> list[dict[str, Any]]:
    return [job.parameters for job in make_plan(Sweep("01_train", **sections)).jobs]


@pytest.mark.parametrize(
    ("sections", "complaint"),
    [
        ({"parameters": {"lr_prox": 0.1}}, r"01_train.ipynb has no parameter lr_prox; .* Did you mean lr_proxy"),
        ({"grid": {"epochs": [1, "2"]}}, r"epochs='2' is of type str; the notebook wants int or none\n\(run 2 of 2\)"),
        ({"grid": {"epochs": [1, 2.0]}}, "epochs=2.0 is of type float"),
        ({"grid": {"epochs": [True]}}, "epochs=True is of type bool"),
        ({"parameters": {"baselines": 0}}, "baselines=0 is of type int; the notebook wants bool"),
        ({"parameters": {"projection": None}}, "projection=None is of type NoneType; the notebook wants str"),
        ({"grid": {"alpha": [0.5, 1.5]}}, r"alpha=1.5: input should be less than or equal to 1"),
        ({"list": {"odd": {"batch_size": 9}}}, "does not divide batch_size=9"),
        ({"list": [{}, {"method": "nothing"}]}, r"method='nothing' is not known"),
        ({"parameters": {"preset": "nowhere"}}, "preset 'nowhere' is not known"),
        ({"parameters": {"ema_keep": "0.5"}}, "ema_keep='0.5'"),  # a setting that the parameters cell does not name
        ({"parameters": {"run_dir": "runs/mine"}}, "a sweep gives each run a directory"),
        ({"parameters": {"lr": math.inf}}, "lr=inf is not a finite number"),
        ({"parameters": {"data_root": Path("images")}}, "data_root=.* is of type"),
        ({"seeds": 101}, "asks for 101 runs; if you mean it, pass --yes"),
        (
            {"grid": {name: range(10**6) for name in ("seed", "epochs", "lr")}},
            "1,000,000,000,000,000,000 runs; a sweep",
        ),
    ],
)
def test_what_the_notebook_would_not_take_is_refused(sections: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        planned(**sections)


def test_notebooks_that_take_nothing_or_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="notebook '11_train' does not exist; there are: "):
        make_plan(Sweep("11_train"))
    bare = write_notebook(tmp_path / "bare.ipynb", "x = 1", tagged=False)
    with pytest.raises(UsageError, match="has no cell tagged 'parameters'"):
        make_plan(Sweep(str(bare)))
    (tmp_path / "text.ipynb").write_text("no JSON")
    with pytest.raises(UsageError, match="cannot be read as a notebook"):
        make_plan(Sweep(str(tmp_path / "text.ipynb")))
    with pytest.raises(UsageError, match=r"has no parameter alpha; it has: run_dir, x, .*mode$"):
        make_plan(Sweep(str(toy(tmp_path)), parameters={"alpha": 0.5}))  # it resolves no settings


def test_runs_that_mean_the_same_are_one_with_all_their_names() -> None:
    default = make_config({}, preset="demo").alpha
    plan = make_plan(
        Sweep("01_train", list={"default": {}, "alpha": {"alpha": default}, "whole": {"lr": 1}, "float": {"lr": 1.0}})
    )
    assert [job.labels for job in plan.jobs] == [["default", "alpha"], ["whole", "float"]]
    assert plan.notes == ["2 of 4 runs have the same parameters as others and are run once"]
    assert type(plan.jobs[1].parameters["lr"]) is float


@given(st.permutations(["alpha", "epochs", "seed"]))
def test_the_order_of_parameters_does_not_change_a_key(names: list[str]) -> None:
    values = {"alpha": 0.25, "epochs": 2, "seed": 3}
    (job,) = make_plan(Sweep("01_train", parameters={name: values[name] for name in names})).jobs
    (same,) = make_plan(Sweep("01_train", parameters=values)).jobs
    (other,) = make_plan(Sweep("01_train", parameters=values | {"alpha": 0.5})).jobs
    assert job.key == same.key != other.key


def test_another_notebook_or_other_code_is_another_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = Sweep(str(toy(tmp_path)))
    (first,) = make_plan(sweep).jobs
    monkeypatch.setattr("vptsp.sweeps.plan.code_key", lambda *given: "other")
    (code,) = make_plan(sweep).jobs
    monkeypatch.undo()
    source = toy(tmp_path)
    source.write_text(source.read_text().replace("0.02", "0.03"))
    (notebook,) = make_plan(sweep).jobs
    assert len({first.key, code.key, notebook.key}) == 3
    assert first.meaning_key == code.meaning_key == notebook.meaning_key


def test_a_key_knows_the_code_that_a_run_computes_with_and_no_other(tmp_path: Path) -> None:
    sources = [f"{room}/part.py" for room in ("core", "training", "analysis", "figures", "sweeps", "cli", "front")]
    files = [tmp_path / "vptsp" / name for name in (*sources, "settings/presets/demo.toml", "machine.py", "doctor.py")]
    files.append(tmp_path / "widgets" / "view.py")
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("before")

    def changing(*rooms: str) -> set[str]:
        """Files after whose edit the key of a notebook that names these rooms is another."""
        found = set()
        for file in files:
            first = code_key(rooms, tmp_path / "vptsp")
            file.write_text(f"{file.read_text()}, edited")
            if code_key(rooms, tmp_path / "vptsp") != first:
                found.add(file.relative_to(tmp_path).as_posix())
        return found

    own = {"vptsp/core/part.py", "vptsp/training/part.py", "vptsp/settings/presets/demo.toml", "vptsp/machine.py"}
    assert changing() == changing("figures", "core") == own
    assert changing("analysis", "figures") == own | {"vptsp/analysis/part.py"}


def test_rooms_named_by_the_key_are_there_and_notebooks_name_theirs(tmp_path: Path) -> None:
    package = Path(vptsp.__file__).parent
    assert all((package / room).exists() for room in (*_COMPUTES, *_SHOWS))
    cells = "a = 1\nfrom vptsp.analysis.proxies_on_map import proxies_of", "import vptsp\nvptsp.core.model\n%timeit"
    assert read_signature(write_notebook(tmp_path / "own.ipynb", *cells)).rooms == {"analysis", "core"}


def test_annotations_say_what_is_legal(tmp_path: Path) -> None:
    cell = "a: int | None = 3\nb: list[int] = []\nc = 1.5\nd: 'Optional[str]' = 'x'\ne: Odd = None\nf: float = 10 * 0.1"
    source = str(write_notebook(tmp_path / "typed.ipynb", cell))
    (job,) = make_plan(Sweep(source, parameters={"a": None, "b": [1], "c": 2, "d": None, "e": {"any": 1}, "f": 1})).jobs
    assert job.parameters == {"a": None, "b": [1], "c": 2.0, "d": None, "e": {"any": 1}, "f": 1.0}
    for name, value in {"a": "1", "b": 1, "c": None, "d": 1, "f": "1"}.items():
        with pytest.raises(UsageError, match=f"{name}="):
            make_plan(Sweep(source, parameters={name: value}))


# --- sweeps that ship -------------------------------------------------------------------------------
def test_sweeps_that_ship_are_valid_and_complete() -> None:
    assert {"table1", "figure3"} <= set(sweep_names())
    for name in sweep_names():
        assert make_plan(read_sweep(name)).jobs
    table = make_plan(read_sweep("table1"))
    assert len(table.jobs) == 11 * 3
    settings = {job.labels[0]: job.parameters for job in table.jobs}
    assert settings["VPTSP-G + BitFit"]["method"] == "vptsp_g"
    panels = {label.partition(":")[0] for job in make_plan(read_sweep("figure3")).jobs for label in job.labels}
    assert panels == {"parameters", "batch_size", "embedding_size", "alpha", "layers", "prompts"}


def test_table1_on_cub_keeps_its_rows_apart() -> None:
    on_cub = {"preset": "cub_vit_s_clean", "data_root": "cub", "batch_size": 64, "adapter_depth": 7}
    plan = make_plan(read_sweep("table1").with_parameters(on_cub))
    configs: dict[str, Config] = {
        job.labels[0]: make_config(
            {name: value for name, value in job.parameters.items() if name in Config.model_fields},
            preset=job.parameters["preset"],
        )
        for job in plan.jobs
    }
    assert len(configs) == 11
    assert all(config.dataset == "cub" and config.bitfit == ("BitFit" in name) for name, config in configs.items())
    assert (configs["Adapter"].adapter_depth, configs["Adapter + BitFit"].adapter_depth) == (7, 1)
