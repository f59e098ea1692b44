"""The configuration: what it refuses, in which words, and that nothing is lost on the way to disk and back."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vptsp.errors import ConfigError
from vptsp.settings.config import Config, make_config, parse_assignments
from vptsp.settings.methods import METHODS
from vptsp.settings.presets import preset_names, read_preset


def test_every_field_has_a_description_and_a_valid_default() -> None:
    for name, field in Config.model_fields.items():
        assert field.description, name
        assert not field.description.endswith("."), name
    assert make_config() == Config()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lrr": 1e-3}, "lrr is not a setting; did you mean lr?"),
        ({"num_promts": 3}, "num_promts is not a setting; did you mean num_prompts"),
        ({"zzzzzz": 3}, "zzzzzz is not a setting; legal: task, dataset, data_root"),
        ({"epochs": True}, "epochs=True: input should be a valid integer"),
        ({"epochs": "12"}, "epochs='12': input should be a valid integer"),
        ({"epochs": 1.5}, "epochs=1.5: input should be a valid integer"),
        ({"epochs": -1}, "epochs=-1: input should be greater than or equal to 0"),
        ({"epochs": None}, "epochs=None: input should be a valid integer"),
        ({"skip_bad": 1}, "skip_bad=1: input should be a valid boolean"),
        ({"dataset": 3}, "dataset=3: it is not text"),
        ({"lr": math.nan}, "lr=nan: input should be"),
        ({"lr": math.inf}, "lr=inf: input should be a finite number"),
        ({"lr": "fast"}, "lr='fast': input should be a valid number"),
        ({"lr": 0.0}, "lr=0.0: input should be greater than 0 (lr: learning rate"),
        ({"val_fraction": 1.0}, "val_fraction=1.0: input should be less than 1"),
        ({"image_size": "big"}, "image_size='big': input should be a valid integer"),
        ({"gru_activation": "elu"}, "gru_activation='elu': input should be 'relu' or 'tanh'"),
        ({"loss": "nca"}, "is not known; legal: proxy_anchor, image_anchor, proxy_nca, normalized_softmax"),
        ({"recall_ks": []}, "recall_ks=[]"),
        ({"recall_ks": [1, True]}, "recall_ks=[1, True]: input should be a valid integer"),
        ({"recall_ks": [2, 4]}, "recall_ks=(2, 4) must hold 1"),
        ({"method": "vptsp"}, f"method='vptsp' is not known; legal: {', '.join(METHODS)}"),
        ({"batch_size": 10, "images_per_class": 4}, "images_per_class=4 does not divide batch_size=10"),
        ({"batch_size": 4, "images_per_class": 4}, "puts a single class into each batch"),
        ({"method": "frozen", "bitfit": True}, "bitfit=True contradicts method='frozen'"),
        ({"method": "vpt_deep", "num_prompts": 0}, "method='vpt_deep' needs num_prompts >= 1"),
        ({"precision": "fp16", "device": "cpu"}, "precision='fp16' needs a GPU"),
    ],
)
def test_what_is_refused_is_named_with_its_value_and_what_is_legal(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_config(settings)
    assert message in str(caught.value)


def test_numbers_of_numpy_are_numbers() -> None:
    given = {
        "epochs": np.int64(3),
        "lr": np.float32(0.5),
        "skip_bad": np.bool_(True),
        "recall_ks": np.array([1, 2]),
        "lora_targets": (np.str_("qkv"),),
    }
    config = make_config(given)
    assert (config.epochs, config.lr, config.skip_bad, config.recall_ks) == (3, 0.5, True, (1, 2))
    assert type(config.epochs) is int
    with pytest.raises(ConfigError, match=r"epochs=2.5: input should be a valid integer"):
        make_config({"epochs": np.float64(2.5)})


def test_a_place_may_be_in_the_home_directory_and_is_never_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert make_config({"data_root": "~/birds"}).data_root == Path("/home/me/birds")
    assert make_config({"data_root": Path("birds")}).data_root == Path("birds")
    with pytest.raises(ConfigError, match="data_root='': it is empty; give a path, or none"):
        make_config(parse_assignments(["data_root="]))


def test_a_number_that_is_meant_as_text_is_told_how_to_be_written() -> None:
    for name in ("data_root", "hub_name"):
        with pytest.raises(ConfigError) as caught:
            make_config(parse_assignments([f"{name}=2024"]))
        assert f"as text it is written '2024' in Python and {name}='\"2024\"' in a shell" in str(caught.value)
        with pytest.raises(ConfigError, match=f"{name}=2024: it is not text; as text it is written '2024' in Python"):
            make_config({name: 2024})
        for written in ("1.50", "1e5", "true", "1_000"):  # as they were written, and not as they are read
            with pytest.raises(ConfigError, match=f"{name}={written}: .* {name}='\"{written}\"' in a shell"):
                parse_assignments([f"{name}={written}"])
            assert str(getattr(make_config(parse_assignments([f'{name}="{written}"'])), name)) == written
        assert str(getattr(make_config(parse_assignments([f'{name}="2024"'])), name)) == "2024"


def test_all_offending_fields_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        make_config({"lr": -1.0, "epochs": "x", "foo": 1})
    assert len(str(caught.value).splitlines()) == 3


def test_later_layers_win_and_changes_are_validated() -> None:
    config = make_config({"epochs": 3, "lr": 0.1}, {"epochs": 5})
    assert (config.epochs, config.lr) == (5, 0.1)
    assert config.changed(epochs=7).lr == 0.1
    with pytest.raises(ConfigError):
        config.changed(batch_size=3)


# --- presets --------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", preset_names())
def test_shipped_presets_are_valid(name: str) -> None:
    assert make_config(preset=name).model_fields_set == read_preset(name).keys()


def test_a_preset_is_a_toml_file_under_the_settings_given(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('method = "linear"\nepochs = 3\n')
    config = make_config({"epochs": 4}, preset=str(path))
    assert (config.method, config.epochs) == ("linear", 4)


def test_a_preset_may_have_the_defaults_of_papers_for_what_it_does_not_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('defaults = "published"\nmethod = "linear"\nselect_by = "map_at_r"\n')
    config = make_config(preset=str(path))
    assert (config.head_input, config.select_start, config.select_by) == ("as_is", "none", "map_at_r")
    path.write_text('method = "linear"\n')
    assert make_config(preset=str(path)).head_input == "whitened"
    path.write_text("defaults = 1\n")
    with pytest.raises(ConfigError, match=r'defaults is 1; legal: "published", or leave it out'):
        make_config(preset=str(path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"epochs = = 3", "mine.toml is not valid TOML"),
        (b"method = '\xff'", "mine.toml is not valid TOML"),
        (b"[model]\nepochs = 3", "model is not a setting"),
        (b"epochs = '3'", "epochs='3': input should be a valid integer"),
        (None, "mine.toml does not exist"),
    ],
)
def test_a_bad_preset_file_is_explained(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "mine.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        make_config(preset=str(tmp_path / "mine.toml"))


def test_an_unknown_preset_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=f"'nope' is not known; legal: .*{preset_names()[0]}"):
        make_config(preset="nope")


# --- settings as words ----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("lr=1e-3", 1e-3),
        ("epochs=12", 12),
        ("skip_bad=true", True),
        ("skip_bad=False", False),
        ("bitfit=none", None),
        ("bitfit=None", None),
        ("bitfit=null", None),
        ("recall_ks=[1, 10]", [1, 10]),
        ("recall_ks=(1,10)", (1, 10)),
        ("data_root=/some/folder", "/some/folder"),
        ("data_root=a=b", "a=b"),
        ("query_pattern=*_q.png", "*_q.png"),
        ("method=vptsp_g", "vptsp_g"),
        ("method='linear'", "linear"),
    ],
)
def test_words_become_values(word: str, value: Any) -> None:
    assert parse_assignments([word]) == {word.partition("=")[0]: value}
    make_config(parse_assignments([word]))


@pytest.mark.parametrize("word", ["lr", "=3", "a b=3", "--lr=3", ""])
def test_words_that_are_no_settings_are_refused(word: str) -> None:
    with pytest.raises(ConfigError, match="write key=value"):
        parse_assignments([word])


# --- to disk and back -----------------------------------------------------------------------------
configs = st.fixed_dictionaries(
    {},
    optional={
        "data_root": st.none() | st.sampled_from([Path("a/b"), Path("/x y/ü"), "relative"]),
        "image_size": st.none() | st.integers(16, 1024),
        "bitfit": st.none() | st.booleans(),
        "method": st.sampled_from([n for n, m in METHODS.items() if m.trains and "retrieval" in m.tasks]),
        "alpha": st.floats(0, 1),
        "lr": st.floats(0, 1e9, exclude_min=True),
        "lr_proxy": st.integers(1, 5),
        "grad_clip": st.none() | st.floats(1e-9, 1e9),
        "query_pattern": st.none() | st.text(max_size=20),
        "recall_ks": st.lists(st.integers(1, 1000), max_size=8).map(lambda ks: [1, *ks]),
        "seed": st.integers(0, 2**31 - 1),
        "loss": st.sampled_from(["proxy_anchor", "proxy_nca"]),
    },
)


@given(configs)
def test_a_configuration_survives_json(settings: dict[str, Any]) -> None:
    config = make_config(settings)
    text = json.dumps(config.model_dump(mode="json"), allow_nan=False)
    assert make_config(json.loads(text)) == config


@given(configs)
def test_a_configuration_survives_the_command_line(settings: dict[str, Any]) -> None:
    config = make_config(settings)
    plain = config.model_dump(mode="json", exclude_unset=True)
    assert make_config(parse_assignments(f"{name}={json.dumps(value)}" for name, value in plain.items())) == config


def test_recognition_has_a_rate_of_its_own() -> None:
    assert (make_config().lr, make_config({"task": "recognition"}).lr) == (0.015, 0.005)
    assert make_config({"task": "recognition", "lr": 0.02}).lr == 0.02
    assert make_config({"task": "recognition"}).changed(epochs=3).lr == 0.005
    assert Config(**make_config({"task": "recognition"}).model_dump()).lr == 0.005


@pytest.mark.parametrize("name", ["select_start", "adapter_norm"])
def test_none_as_a_choice_can_be_typed(name: str) -> None:
    assert getattr(make_config(parse_assignments([f"{name}=none"])), name) == "none"
    assert make_config(parse_assignments(["data_root=none"])).data_root is None


@pytest.mark.parametrize(
    ("given", "near"), [({"method": "vptsp-g"}, "vptsp_g or vptsp_m"), ({"loss": "proxy_ancor"}, "proxy_anchor")]
)
def test_a_value_that_is_nearly_one_is_told_which(given: dict[str, str], near: str) -> None:
    with pytest.raises(ConfigError, match=rf"\(did you mean {near}.*\?\)"):
        make_config(given)
