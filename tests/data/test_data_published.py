"""Published data sets, read from miniatures in their original layouts."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import replicas
from replicas import REPLICAS

from vptsp.data import DATASETS, load_data
from vptsp.data.published_counts import Counts
from vptsp.errors import ConfigError, DataError
from vptsp.evaluation.metrics import evaluate_retrieval
from vptsp.settings.config import make_config
from vptsp.training.loop import train

Settings = Callable[..., SimpleNamespace]
Expect = Callable[[str, Counts], None]


@pytest.fixture
def made(settings: Settings, expect: Expect, tmp_path: Path) -> Callable[..., SimpleNamespace]:
    """A replica by its name: made, its counts expected; returns the configuration that loads it."""

    def make(layout: str, **changed: object) -> SimpleNamespace:
        name, build, counts = REPLICAS[layout]
        expect(name, counts)
        task = "recognition" if DATASETS[name].task == "recognition" else "retrieval"
        return settings(**{"dataset": name, "data_root": build(tmp_path), "task": task, **changed})

    return make


@pytest.mark.parametrize("layout", REPLICAS)
def test_a_layout_is_read_with_its_counts(made: Callable[..., SimpleNamespace], layout: str) -> None:
    config = made(layout)
    splits = load_data(config)
    counts = REPLICAS[layout][2]
    assert (len(splits.train), len(splits.train.class_names)) == counts.train
    assert (len(splits.test), len(splits.test.class_names)) == counts.test
    if config.task == "retrieval":
        assert set(splits.train.class_names).isdisjoint(splits.test.class_names)
    else:
        assert splits.train.class_names == splits.test.class_names
    everything = {*splits.train.ids, *splits.test.ids}
    assert len(everything) == len(splits.train) + len(splits.test)
    assert not {i for i in splits.train.ids if i.startswith("test/")}
    for part in (splits.train, splits.test):
        again = pickle.loads(pickle.dumps(part))  # as a worker process gets it
        seen = {again.load(position).tobytes() for position in range(len(again))}
        assert len(seen) == len(part), "each image is another file"
        assert again.load(0).mode == "RGB"


@pytest.mark.parametrize(
    ("layout", "train", "test"),
    [
        ("cub", ("001.Bird_1", "002.Bird_2"), ("003.Bird_3", "004.Bird_4")),
        ("cars one file", tuple(replicas.CAR_NAMES[:2]), tuple(replicas.CAR_NAMES[2:])),
        ("cars devkit", tuple(replicas.CAR_NAMES[:2]), tuple(replicas.CAR_NAMES[2:])),
        ("sop", ("bicycle/1", "coffee_maker/2", "bicycle/3"), ("coffee_maker/4", "bicycle/5")),
        ("inshop", ("id_00000001", "id_00000004"), ("id_00000002", "id_00000003")),
        ("inaturalist", ("Aves/2761", "Fungi/7"), ("Aves/3", "Plantae/6544")),
    ],
)
def test_classes_are_split_as_published(
    made: Callable[..., SimpleNamespace], layout: str, train: tuple[str, ...], test: tuple[str, ...]
) -> None:
    splits = load_data(made(layout))
    assert (splits.train.class_names, splits.test.class_names) == (train, test)


def test_labels_belong_to_the_images(made: Callable[..., SimpleNamespace]) -> None:
    for layout in ("cub", "inaturalist", "fgvc_cub", "fgvc_dogs"):
        splits = load_data(made(layout))
        for part in (splits.train, splits.test):
            names = [part.class_names[label] for label in part.labels]
            assert all(f"/{name}/" in i for name, i in zip(names, part.ids, strict=True)), layout


def test_nabirds_keeps_classes_of_one_name_apart(made: Callable[..., SimpleNamespace]) -> None:
    names = load_data(made("fgvc_nabirds")).train.class_names
    assert names == ("0295.Common Eider (Adult, male)", "0817.Heron", "1010.Heron")


def test_the_published_counts_add_up() -> None:
    """Each set's parts against the total that its own authors give."""

    def total(name: str) -> tuple[int, int]:
        counts = DATASETS[name].expected
        assert counts is not None
        classes = counts.train[1] + counts.test[1] if DATASETS[name].task == "retrieval" else counts.train[1]
        return counts.train[0] + counts.test[0], classes

    assert total("cub") == total("fgvc_cub") == (11_788, 200)
    assert total("cars") == total("fgvc_cars") == (16_185, 196)
    assert total("sop") == (120_053, 22_634)
    assert total("inshop") == (52_712, 7_982)
    assert total("inaturalist") == (437_513 + 24_426, 8_142)
    assert total("fgvc_nabirds") == (48_562, 555)
    assert total("fgvc_flowers") == (8_189, 102)
    assert total("fgvc_dogs") == (20_580, 120)
    inshop = DATASETS["inshop"].expected
    assert inshop is not None
    assert inshop.query is not None
    assert inshop.gallery is not None
    assert inshop.query + inshop.gallery == inshop.test[0]
    tasks = [name for name in DATASETS if name.startswith("vtab_")]
    assert len(tasks) == 19
    assert {DATASETS[name].expected.train[0] for name in tasks} == {1000}  # type: ignore[union-attr]


def test_other_counts_are_refused_with_both_numbers(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(
        DataError,
        match=r"^cub: expected 5,864 images of 100 classes to train on and 5,924 of 100 to test on; found 8 images of "
        r"2 classes to train on and 8 of 2 to test on in .*dataset=photos .*dataset=folder .*dataset=table",
    ):
        load_data(settings(dataset="cub", data_root=replicas.cub(tmp_path)))
    part = settings(dataset="photos", data_root=tmp_path / "CUB_200_2011/images", test_fraction=0.5)
    assert [len(images.class_names) for images in (load_data(part).train, load_data(part).test)] == [2, 2]


def test_recognition_sets_are_not_for_retrieval(made: Callable[..., SimpleNamespace]) -> None:
    with pytest.raises(ConfigError, match=r"dataset=fgvc_cub .*use it with task=recognition, or for retrieval .*cub"):
        load_data(made("fgvc_cub", task="retrieval"))


# --- In-Shop: queries and gallery ------------------------------------------------------------------
def test_in_shop_is_searched_from_queries_to_the_gallery(made: Callable[..., SimpleNamespace]) -> None:
    test = load_data(made("inshop")).test
    assert test.is_query is not None
    assert test.is_gallery is not None
    assert (test.is_query ^ test.is_gallery).all()
    places = np.arange(len(test))
    by_item = np.eye(2)[test.labels] + 1e-3 * np.random.default_rng(0).random((len(test), 2))
    perfect = evaluate_retrieval(by_item, test.labels, test.is_query, test.is_gallery, (1,), clustering=False)
    assert perfect.metrics["recall_at_1"] == 1
    assert set(perfect.results.query_positions.tolist()) == set(places[test.is_query])
    # Were queries in the gallery, each would find its other query; embedded against its item it must find nothing.
    against = np.where(test.is_gallery[:, None], np.eye(2)[1 - test.labels], np.eye(2)[test.labels])
    assert (
        evaluate_retrieval(against, test.labels, test.is_query, test.is_gallery, (1,), False).metrics["recall_at_1"]
        == 0
    )


# --- validation images that sets bring ------------------------------------------------------------
@pytest.mark.parametrize(("layout", "sizes"), [("fgvc_flowers", (3, 3)), ("vtab", (6, 3))])
def test_own_validation_images_are_used_or_join_the_training_images(
    made: Callable[..., SimpleNamespace], layout: str, sizes: tuple[int, int]
) -> None:
    config = made(layout)
    whole = load_data(config).train
    config.val_fraction = 0.2
    splits = load_data(config)
    assert splits.val is not None
    assert (len(splits.train), len(splits.val)) == sizes
    assert splits.train.ids + splits.val.ids == whole.ids
    assert splits.val.class_names == splits.train.class_names == splits.test.class_names


@pytest.mark.parametrize(
    ("layout", "images"),
    [("fgvc_cub", "CUB_200_2011/images"), ("fgvc_dogs", "Images"), ("fgvc_nabirds", "nabirds/images")],
)
def test_lists_of_vpt_take_the_place_of_the_original_ones(
    made: Callable[..., SimpleNamespace], expect: Expect, layout: str, images: str
) -> None:
    config = made(layout, val_fraction=0.1)
    root = (config.data_root / images).parent
    classes = len(list((root / Path(images).name).iterdir()))
    replicas.vpt_lists(root, Path(images).name)
    each = len(list((root / Path(images).name).rglob("*.jpg"))) // classes
    expect(config.dataset, Counts((3 * classes, classes), ((each - 3) * classes, classes)))
    splits = load_data(config)
    assert splits.val is not None
    assert (len(splits.train), len(splits.val)) == (2 * classes, classes)
    assert splits.train.class_names == tuple(str(n) for n in range(1, classes + 1))
    (root / "val.json").write_text("[1]")
    with pytest.raises(DataError, match=r"val.json: expected a dictionary from image path to class number"):
        load_data(config)


def test_vtab_in_releases_with_one_training_list(made: Callable[..., SimpleNamespace]) -> None:
    config = made("vtab")
    ids = load_data(config).train.ids
    for name in ("train800.txt", "val200.txt"):
        (config.data_root / "kitti" / name).unlink()
    splits = load_data(config)
    assert splits.train.ids == ids
    assert not splits.train.mirror_ok


# --- training -------------------------------------------------------------------------------------
@pytest.mark.parametrize(("layout", "task"), [("cub", "retrieval"), ("fgvc_cub", "recognition")])
def test_a_run_trains_on_a_published_set(expect: Expect, tmp_path: Path, layout: str, task: str) -> None:
    root = replicas.cub(tmp_path / "data", classes=12)
    expect(layout, Counts((24, 6), (24, 6)) if task == "retrieval" else Counts((24, 12), (24, 12)))
    config = make_config(
        {
            **{"dataset": layout, "task": task, "data_root": root, "backbone": "test_vit", "image_size": 32},
            **{"backbone_weights": "random", "embedding_size": 16, "batch_size": 8, "epochs": 1, "num_prompts": 2},
            **{"val_fraction": 0.3, "precision": "fp32", "device": "cpu", "probe_images": 4, "num_class_prompts": 2},
        }
    )
    run = train(config, tmp_path / "run", observer=lambda event: None)
    assert run.is_finished()
    metrics = run.summary()["test"]
    assert metrics[run.summary()["selected"]]


def test_registry_names_what_every_set_needs() -> None:
    for name, source in DATASETS.items():
        assert source.title, name
        if source.root in ("folder", "file"):
            assert source.layout, name
        if source.task != "any":
            assert source.expected, name
            assert source.where, name
