from __future__ import annotations

import io
import re
import shutil
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
from markup import Markup, refused_by_sanitiser
from PIL import Image

from vptsp.analysis.proxies_on_map import proxies_of
from vptsp.data import load_data
from vptsp.evaluation.ranking import RetrievalResults, search
from vptsp.figures.embedding_map import embedding_map
from vptsp.figures.gallery import choose_queries, retrieval_gallery, retrieval_strips, sample_images
from vptsp.figures.html import html_table
from vptsp.figures.palettes import palette
from vptsp.figures.run_map import run_map
from vptsp.figures.runs import curves, parameter_table, result_table
from vptsp.figures.stills import bundle, image_html, png
from vptsp.files import write_json
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import Run
from vptsp.runs.thumbnails import Thumbnails
from vptsp.settings.config import Config
from vptsp.text import plain, safe
from vptsp.training.baselines import compared, result_line

HOSTILE = ['<script>alert("x")</script>', 'a & b\'s "rose"', "🌸 bloom", "line\nbreak\tand\x00control", "ورد", "$x_1$"]


# --- names ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_one_line_of_text_and_never_markup(name: str) -> None:
    text = Markup(f"<p>{safe(name)}</p>").text.strip("\u2068\u2069")
    assert [tag for tag, _ in Markup(f"<p>{safe(name)}</p>").elements] == ["p"]
    assert text == plain(name)
    assert len(text.splitlines()) == 1


def test_names_are_cut_and_never_empty() -> None:
    assert plain("x" * 100, longest=10) == "x" * 9 + "…"
    assert plain("\n\t") == "(no name)"
    assert safe("ورد") == "\u2068ورد\u2069"


# --- figures ----------------------------------------------------------------------------------------
def test_curves_show_the_lines_of_the_run(tiny_run: Run) -> None:
    figure = curves(tiny_run, lr=True)
    lines = tiny_run.metrics()
    drawn = {trace.name: list(trace.y) for trace in figure.data}
    assert drawn["loss"] == [line["loss"] for line in lines]
    assert drawn["validation R@1"] == [100 * line["val_recall_at_1"] for line in lines]
    assert drawn["learning rate of proxies"] == [line["lr_proxy"] for line in lines]
    (star,) = (trace for trace in figure.data if trace.name == "selected epoch")
    assert star.x[0] == tiny_run.summary()["best_val"]["epoch"]


def test_no_epoch_before_a_pruning_is_starred(tmp_path: Path) -> None:
    write_json(
        tmp_path / "config.json", Config(method="e2vpt", epochs=4, select_by="recall_at_1").model_dump(mode="json")
    )
    run = Run(tmp_path)
    lines = [{"epoch": 1 + at, "loss": 1.0, "val_recall_at_1": value} for at, value in enumerate([0.6, 0.9, 0.4, 0.5])]
    for trained, starred in ((2, 2), (3, 3), (4, 4)):
        run.write_metrics(lines[:trained])
        (star,) = (trace for trace in curves(run).data if trace.name == "selected epoch")
        assert list(star.x) == [starred]


def test_every_axis_and_every_trace_has_a_name(tiny_run: Run) -> None:
    for figure in (curves(tiny_run, lr=True), curves(tiny_run), run_map(tiny_run, "pca")):
        axes = [value for name, value in figure.to_dict()["layout"].items() if re.fullmatch(r"[xy]axis\d*", name)]
        assert all(axis["title"]["text"] for axis in axes)
        assert all(trace.name for trace in figure.data)


def test_curves_without_validation_have_no_empty_panel(tiny_run: Run, tmp_path: Path) -> None:
    shutil.copy(tiny_run.path / "config.json", tmp_path)
    run = Run(tmp_path)
    lines = [{k: v for k, v in line.items() if not k.startswith("val_")} for line in tiny_run.metrics()]
    run.write_metrics(lines)
    assert "xaxis2" not in curves(run).to_dict()["layout"]


def test_map_shows_images_and_the_three_proxies_of_each_training_class(tiny_run: Run) -> None:
    figure = run_map(tiny_run, "pca")
    saved = SavedEmbeddings.of_run(tiny_run)
    traces = {trace.name: trace for trace in figure.data}
    classes = len(proxies_of(tiny_run)[1])
    assert tiny_run.summary()["classes"]["train"] == classes
    for name in ("learned O", "semantic G", "fused q"):
        assert len(traces[name].x) == classes
    assert len({traces[name].marker.symbol for name in ("learned O", "semantic G", "fused q")}) == 3
    images = [trace for trace in figure.data if trace.customdata is not None]
    assert sorted(name for trace in images for name in trace.customdata) == sorted(saved.ids)
    assert {trace.name for trace in images} == set(saved.class_names)


def test_classes_have_the_colours_that_views_give_them_readable_on_both_pages() -> None:
    classes = 12
    figure = embedding_map(np.zeros((classes, 2)), np.arange(classes), [f"class {row}" for row in range(classes)])
    drawn = [trace.marker.color for trace in figure.data]
    rgb = np.array([list(bytes.fromhex(colour[1:])) for colour in drawn])
    light, dark = (palette(classes, dark).astype(int) for dark in (False, True))
    assert (rgb >= np.minimum(light, dark)).all()
    assert (rgb <= np.maximum(light, dark)).all()

    def luminance(colours: np.ndarray) -> np.ndarray:
        shares = colours / 255
        linear = np.where(shares <= 0.03928, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
        return linear @ np.array([0.2126, 0.7152, 0.0722])

    assert (1.05 / (luminance(rgb) + 0.05)).min() > 2.5
    assert ((luminance(rgb) + 0.05) / (luminance(np.full(3, 17)) + 0.05)).min() > 3


def test_the_tool_bar_has_a_margin_of_its_own(tiny_run: Run) -> None:
    for figure in (curves(tiny_run), run_map(tiny_run, "pca")):
        layout = figure.layout.template.layout
        assert layout.modebar.orientation == "v"
        assert (figure.layout.margin.r or layout.margin.r) >= 40
        assert bundle(figure, "words")["application/vnd.plotly.v1+json"]["config"]["displaylogo"] is False


def test_map_says_when_it_samples(tiny_run: Run) -> None:
    total = len(SavedEmbeddings.of_run(tiny_run).labels)
    figure = run_map(tiny_run, "pca", most=10)
    assert figure.layout.annotations[0].text == f"10 of {total} test images shown"
    assert not run_map(tiny_run, "pca").layout.annotations


def test_frozen_run_has_a_map_without_proxies(tiny_run: Run) -> None:
    frozen = Run.open(tiny_run.path / "baselines" / "frozen")
    assert proxies_of(frozen) == ({}, [])
    assert all(trace.customdata is not None for trace in run_map(frozen, "pca").data)


def test_map_of_many_classes_escapes_names_in_hover() -> None:
    names = HOSTILE + [f"class {i}" for i in range(20)]
    figure = embedding_map(np.random.default_rng(0).random((26, 2)), np.arange(26), names)
    assert figure.data[0].text[0] == safe(HOSTILE[0])
    assert not any("<script" in text for text in figure.data[0].text)
    assert len(set(figure.data[0].marker.color)) == 26


# --- stills -----------------------------------------------------------------------------------------
def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), dtype=int)


def has_colour(picture: np.ndarray, colour: str, near: int = 12) -> bool:
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return bool((np.abs(picture - wanted).max(axis=2) <= near).sum() >= 5)


def test_still_draws_every_trace_in_its_colour(tiny_run: Run) -> None:
    curve, plane = pixels(png(curves(tiny_run))), pixels(png(run_map(tiny_run, "pca")))
    assert all(has_colour(curve, colour) for colour in ("#f97316", "#3b82f6", "#10a37f"))
    assert all(has_colour(plane, colour) for colour in ("#f97316", "#a855f7", "#3b82f6"))
    assert curve.shape[1] > 860  # denser than CSS pixels


def test_still_draws_bars_and_heat_maps() -> None:
    bars = go.Figure([go.Bar(x=["a", "b"], y=[1, 2], name="x", marker_color="#ff0000")])
    heat = go.Figure([go.Heatmap(z=[[0, 1], [1, 0]], x=["a", "b"], y=["a", "b"])])
    picture = pixels(png(bars))
    red = (np.abs(picture - [255, 0, 0]).max(axis=2) < 10).any(axis=1).sum()
    assert red > 0.5 * picture.shape[0]
    assert has_colour(pixels(png(heat)), "#fde725")  # viridis' brightest


def test_still_of_hostile_names_is_text() -> None:
    figure = embedding_map(np.random.default_rng(0).random((6, 2)), np.arange(6), HOSTILE)
    assert pixels(png(figure)).size  # "$x_1$" is no formula, an emoji without a font no failure


def test_unknown_traces_have_no_still() -> None:
    with pytest.raises(ValueError, match=r"pie.*scatter"):
        png(go.Figure([go.Pie(values=[1])]))


def test_one_bundle_serves_all_viewers(tiny_run: Run) -> None:
    made = bundle(curves(tiny_run), 'a "curve" <b>')
    assert made.keys() == {"application/vnd.plotly.v1+json", "text/html", "text/plain"}
    (image,) = Markup(made["text/html"]).all("img")
    assert image["src"].startswith("data:image/png;base64,")
    assert image["alt"] == 'a "curve" <b>'
    assert not refused_by_sanitiser(image_html(curves(tiny_run), "curve"))


# --- tables -----------------------------------------------------------------------------------------
def test_tables_hold_the_numbers_of_the_summaries(tiny_run: Run) -> None:
    results = compared(tiny_run)
    assert [result.title for result in results] == ["VPTSP-G", "linear probe", "frozen"]
    counts = results[0].result.counts
    table = Markup(parameter_table({each.title: each.result.counts for each in results}))
    assert len(table.all("tr")) == 4
    for name in ("trained", "kept", "bank", "total"):
        assert f"{counts[name]:,}" in table.text
    text = Markup(result_table(results)).text
    assert all(f"{100 * result.test['recall_at_1']:.1f} %" in text for result in results)


def test_result_line_is_read_from_the_summaries(tiny_run: Run) -> None:
    own, linear, frozen = (100 * result.test["recall_at_1"] for result in compared(tiny_run))
    assert result_line(tiny_run) == f"VPTSP-G R@1 {own:.1f} % | linear probe {linear:.1f} % | frozen {frozen:.1f} %"


def test_numbers_of_a_table_stay_whole_and_texts_wrap() -> None:
    cells = Markup(html_table(["what", "value"], [["a sentence that says what is meant", "12.3 ± 0.4 %"]], "")).all(
        "td"
    )
    assert ["white-space:nowrap" in cell["style"] for cell in cells] == [False, True]


def test_table_cells_are_escaped() -> None:
    page = html_table(["a", HOSTILE[0]], [[HOSTILE[0], HOSTILE[1]]], HOSTILE[0])
    assert not refused_by_sanitiser(page)
    assert HOSTILE[0] in Markup(page).text


# --- gallery ----------------------------------------------------------------------------------------
def test_gallery_survives_the_sanitiser_and_says_right_and_wrong_in_words(tiny_run: Run) -> None:
    page = retrieval_gallery(tiny_run, queries=6, k=5)
    assert not refused_by_sanitiser(page)
    images = Markup(page).all("img")
    assert len(images) == 6 * (1 + 5)
    assert all(image["src"].startswith("data:image/jpeg;base64,") and image["alt"] for image in images)
    right = sum(", right," in image["alt"] for image in images)
    wrong = sum(", wrong," in image["alt"] for image in images)
    assert right + wrong == 30
    assert (page.count(">✓<"), page.count(">✗<")) == (right, wrong)
    assert retrieval_gallery(tiny_run, queries=6, k=5) == page


def ranked(first_right: list[bool], relevant: list[int] | None = None) -> RetrievalResults:
    count = len(first_right)
    return RetrievalResults(
        query_positions=np.arange(count),
        query_labels=np.zeros(count, dtype=np.int64),
        neighbor_positions=np.arange(count)[:, None] + 100,
        neighbor_labels=np.array([0 if right else 1 for right in first_right])[:, None],
        similarities=np.zeros((count, 1), dtype=np.float32),
        relevant=np.array(relevant or [1] * count),
    )


@pytest.mark.parametrize(
    ("right", "wrong", "expected"), [(20, 20, (4, 4)), (20, 1, (7, 1)), (2, 20, (2, 6)), (3, 0, (3, 0))]
)
def test_queries_are_half_mistakes_as_far_as_there_are(right: int, wrong: int, expected: tuple[int, int]) -> None:
    first_right = [True] * right + [False] * wrong
    chosen = choose_queries(ranked(first_right), 8, seed=3)
    hits = [first_right[row] for row in chosen]
    assert (sum(hits), len(hits) - sum(hits)) == expected
    assert len(set(chosen)) == len(chosen)


def test_lone_queries_are_not_shown() -> None:
    assert choose_queries(ranked([False, True], relevant=[0, 3]), 8) == [1]


def test_hostile_class_names_stay_text_in_the_gallery(tiny_run: Run) -> None:
    saved = SavedEmbeddings.of_run(tiny_run)
    saved.class_names = [HOSTILE[label % len(HOSTILE)] for label in range(len(saved.class_names))]
    results = search(saved.embeddings, saved.labels, k=4)
    page = retrieval_strips(results, list(range(len(saved.labels))), saved, Thumbnails(saved.folder))
    assert not refused_by_sanitiser(page)
    assert plain(HOSTILE[0]) in Markup(page).text


def test_sample_images_names_its_classes(tiny_run: Run) -> None:
    images = load_data(tiny_run.config).test
    page = sample_images(images, classes=3, per_class=4)
    assert not refused_by_sanitiser(page)
    (image,) = Markup(page).all("img")
    named = [name for name in images.class_names if name in image["alt"]]
    assert len(named) == 3
