"""The façade of the retrieval gallery: answers, lists, state for pages, stills, errors."""

from __future__ import annotations

import html
import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from galleries import EVIL, png, saved_set
from hypothesis import given, settings
from hypothesis import strategies as st
from markup import Markup, outside_references, refused_by_sanitiser
from PIL import Image
from vptsp_widgets.gallery import RetrievalGallery
from vptsp_widgets.gallery.queries import true_ranks
from vptsp_widgets.linking import link
from vptsp_widgets.uploads import LARGEST

from vptsp.errors import ConfigError, DataError, DataWarning
from vptsp.evaluation.gallery_index import GalleryIndex
from vptsp.evaluation.index import StoredIndex
from vptsp.evaluation.ranking import search
from vptsp.runs.embeddings import SavedEmbeddings
from vptsp.runs.run import Run


@pytest.fixture
def saved(tmp_path: Path) -> SavedEmbeddings:
    return saved_set(tmp_path / "saved")


def sent(view: RetrievalGallery, message: dict[str, Any], buffers: tuple[bytes, ...] = ()) -> list[Any]:
    """What the view sends to its front end on a message."""
    out: list[Any] = []
    view.send = lambda content, buffers=None: out.append((content, buffers))  # type: ignore[method-assign]
    view._receive(view, message, list(buffers))
    return out


@pytest.mark.parametrize("roles", [False, True])
def test_answers_are_those_of_the_search(tmp_path: Path, roles: bool) -> None:
    saved = saved_set(tmp_path, roles=roles)
    view = RetrievalGallery(saved, k=6)
    expected = search(saved.embeddings, saved.labels, None, saved.is_gallery)
    everyone = search(saved.embeddings, saved.labels, None, saved.is_gallery, k=len(saved))
    for row in range(len(saved)):
        ((content, _),) = sent(view, {"kind": "query", "number": 7, "query": {"row": row}})
        assert (content["kind"], content["number"], content["label"]) == ("result", 7, saved.labels[row])
        near = everyone.neighbor_positions[row]
        assert content["rows"] == near[near >= 0][:6].tolist()
        assert row not in content["rows"]
        wanted = {"kind": "ranks", "number": 8, "query": {"row": row}, "certain": content["rows"]}
        ((ranks, _),) = sent(view, wanted)
        assert (ranks["kind"], ranks["number"]) == ("ranks", 8)
        assert ranks["ranks"] == (np.flatnonzero(everyone.matches[row]) + 1).tolist()
        assert content["relevant"] == expected.relevant[row]
        assert ranks["precision"] == pytest.approx(everyone.matches[row, : content["relevant"]].mean())


@pytest.mark.parametrize("roles", [False, True])
def test_two_images_know_how_they_find_each_other(tmp_path: Path, roles: bool) -> None:
    saved = saved_set(tmp_path, roles=roles)
    view = RetrievalGallery(saved)
    everyone = search(saved.embeddings, saved.labels, None, saved.is_gallery, k=len(saved))
    for first, second in ((0, 1), (3, 17), (12, 5)):
        ((content, _),) = sent(view, {"kind": "pair", "rows": [first, second]})
        assert content["similarity"] == pytest.approx(float(view.searched.unit[first] @ view.searched.unit[second]))
        for (row, other), rank in zip(((first, second), (second, first)), content["ranks"], strict=True):
            found = np.flatnonzero(everyone.neighbor_positions[row] == other)
            assert rank == (None if not len(found) else found[0] + 1)


def test_the_whole_picture_is_the_image_itself(tiny_run: Run, saved: SavedEmbeddings, image_folder: Path) -> None:
    view = RetrievalGallery.of_run(tiny_run)
    ((content, [picture]),) = sent(view, {"kind": "large", "row": 7})
    assert content == {"kind": "large", "row": 7, "note": ""}
    (file,) = [path for path in image_folder.rglob("*.png") if path.as_posix().endswith(f"/{view.ids[7]}")]
    found, given = (np.asarray(Image.open(one).convert("L"), float) for one in (io.BytesIO(picture), file))
    assert found.shape == given.shape
    assert np.corrcoef(found.flat, given.flat)[0, 1] > 0.9  # noise, as JPEG keeps it
    # of embeddings alone there are thumbnails, and it is said
    ((content, [picture]),) = sent(RetrievalGallery(saved), {"kind": "large", "row": 7})
    assert "The thumbnail stands in for" in content["note"]
    assert Image.open(io.BytesIO(picture)).size == (64, 64)


def test_focus_is_the_query_and_results_are_its_table(saved: SavedEmbeddings) -> None:
    view = RetrievalGallery(saved, k=3)
    assert view.results.empty
    view.focus = saved.ids[6]
    table = view.results
    assert table["rank"].tolist() == [1, 2, 3]
    assert saved.ids[6] not in set(table["id"])
    assert table["right"].tolist() == [name == "class 1" for name in table["class"]]
    assert view._focused == 6
    assert "class 1, first right image at rank" in view.summary()
    with pytest.raises(DataError, match="'nowhere' is not an image of this view"):
        view.focus = "nowhere"
    view._focused = 2  # as the front end does it
    assert view.focus == saved.ids[2]


def test_links_pass_over_images_that_are_not_here(saved: SavedEmbeddings, tmp_path: Path) -> None:
    view, other = RetrievalGallery(saved), RetrievalGallery(saved_set(tmp_path / "less", classes=2))
    link(view, other)
    view.focus = saved.ids[3]
    view.selection = [saved.ids[19], saved.ids[1]]
    assert (other.focus, other.selection) == (saved.ids[3], [saved.ids[1]])
    view.focus = saved.ids[19]
    assert other.focus == saved.ids[3]


def test_a_proxy_is_a_query_whose_class_may_be_known(saved: SavedEmbeddings) -> None:
    proxies = {"learned": 3 * np.eye(2, 8), "fused": np.eye(2, 8)[::-1]}
    view = RetrievalGallery(saved, proxies=proxies, proxy_names=["class 1", "not here"], k=5)
    view.focus = saved.ids[0]
    view.query_proxy("fused", "class 1")
    assert view.focus == ""
    expected = (saved.embeddings / np.linalg.norm(saved.embeddings, axis=1, keepdims=True))[:, 1].max()
    assert view.results["similarity"][0] == pytest.approx(expected, abs=1e-6)
    assert view.results["right"][0]
    assert "the fused proxy of class 1" in view.summary()
    view.query_proxy("learned", "not here")
    assert view.results["right"].tolist() == [None] * 5
    view.focus = saved.ids[0]
    assert view._query == {}
    with pytest.raises(ConfigError, match="'semantic'; legal: learned, fused"):
        view.query_proxy("semantic", "class 1")
    with pytest.raises(ConfigError, match="no proxy of a class 'class 2'"):
        view.query_proxy("fused", "class 2")
    with pytest.raises(DataError, match=r"fused proxies have shape \(2, 8\); with 1 proxy_names .* \(1, 8\)"):
        RetrievalGallery(saved, proxies={"fused": np.eye(2, 8)}, proxy_names=["class 1"])


def test_lists_hold_what_they_say(tmp_path: Path) -> None:
    saved = saved_set(tmp_path, classes=4, per_class=6, roles=True)
    view, unit = RetrievalGallery(saved), saved.embeddings / np.linalg.norm(saved.embeddings, axis=1, keepdims=True)
    similar = unit @ unit.T
    similar[:, saved.is_query] = -2
    same = saved.labels[:, None] == saved.labels
    queries = np.flatnonzero(saved.is_query)
    lists = {which: view.searched.lists.named(which) for which in ("mistakes", "hardest", "duplicates")}
    wrong = [row for row in queries if not same[row, similar[row].argmax()]]
    assert wrong
    assert lists["mistakes"]["rows"] == wrong
    nearest_wrong = np.where(same, -2, similar)[queries]
    order = queries[np.argsort(-nearest_wrong.max(axis=1), kind="stable")]
    assert lists["hardest"]["rows"] == order.tolist()
    assert lists["hardest"]["others"] == [int(np.where(same[row], -2, similar[row]).argmax()) for row in order]
    np.testing.assert_allclose(lists["hardest"]["values"], np.sort(nearest_wrong.max(axis=1))[::-1], atol=2e-6)
    pairs = set(zip(lists["duplicates"]["rows"], lists["duplicates"]["others"], strict=True))
    assert len(pairs) == len(queries) * (len(saved) - len(queries))
    assert lists["duplicates"]["values"][0] == pytest.approx(similar[queries].max(), abs=2e-6)


def test_pairs_are_listed_once_and_wrong_ones_found_however_far(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vptsp_widgets.gallery.queries._DEEP", 2)  # all right within two: the whole gallery is needed
    view = RetrievalGallery(saved_set(tmp_path))
    shallow = view.searched.lists.named("hardest")
    rows = view.searched.lists.named("duplicates")
    pairs = [frozenset(pair) for pair in zip(rows["rows"], rows["others"], strict=True)]
    assert len(set(pairs)) == len(pairs)
    monkeypatch.setattr("vptsp_widgets.gallery.queries._DEEP", 50)
    deep = RetrievalGallery(view.saved).searched.lists.named("hardest")
    assert (shallow["rows"], shallow["others"]) == (deep["rows"], deep["others"])


def test_large_sets_are_sampled_and_the_list_says_so(saved: SavedEmbeddings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vptsp_widgets.gallery.queries.MOST_QUERIES", 7)
    view = RetrievalGallery(saved)
    assert len(view.searched.lists.named("hardest")["rows"]) == 7
    assert view.searched.lists.named("mistakes")["note"] == "from a seeded sample of 7 of 20 queries"


def test_the_page_holds_the_same_answers(saved: SavedEmbeddings) -> None:
    view = RetrievalGallery(saved)
    state = view.state_for_page(queries=9, k=4)
    rows = np.frombuffer(state["_table_rows"], "<i4")
    near = np.frombuffer(state["_table_near"], "<i4").reshape(9, 4)
    ranks = np.frombuffer(state["_table_ranks"], "<i4").reshape(9, -1)
    assert len(set(rows.tolist())) == 9
    for place, row in enumerate(rows):
        answer = view.searched.answer({"row": row}, 4)
        assert near[place].tolist() == answer["rows"]
        assert ranks[place][ranks[place] > 0].tolist() == answer["ranks"]
        assert np.frombuffer(state["_table_precision"], "<f4")[place] == pytest.approx(answer["precision"])
    assert set(state["_table_lists"]["hardest"]["rows"]) == set(rows.tolist())
    assert (state["_can_embed"], state["_proxy_kinds"]) == (False, [])


def test_a_run_finds_its_own_images_again(tiny_run: Run, image_folder: Path) -> None:
    view = RetrievalGallery.of_run(tiny_run)
    file = image_folder / "test" / "class_11" / "3.png"
    view.query_file(file)
    assert view.results["class"][0] == "class_11"
    assert view.results["similarity"][0] == pytest.approx(1, abs=1e-4)
    assert view.results["id"][0].endswith("class_11/3.png")
    (uploaded, _), *_ = sent(view, {"kind": "upload", "number": 4, "name": EVIL}, (file.read_bytes(),))
    assert (uploaded["kind"], uploaded["number"]) == ("uploaded", 4)
    query = {"upload": uploaded["upload"], "name": EVIL}
    ((result, (preview,)),) = sent(view, {"kind": "query", "number": 5, "query": query})
    assert result["rows"][0] == view._row[view.results["id"][0]]
    assert Image.open(io.BytesIO(preview)).size == (32, 32)
    assert set(view.proxies) == {"learned", "semantic", "fused"}
    assert len(RetrievalGallery.of_run(tiny_run, split="train").ids) == 40


def test_words_are_a_query_where_something_embeds_them(saved: SavedEmbeddings) -> None:
    view = RetrievalGallery(saved, text_encoder=lambda words: np.eye(8)[int(words[-1])])
    view.query_text("class 2")
    nearest = np.argsort(-view.searched.unit[:, 2], kind="stable")[:24]
    assert view.results["id"].tolist() == [saved.ids[row] for row in nearest]
    assert view.results["right"].isna().all()  # nobody knows which class words mean
    assert "Nearest to the words " in view.still()
    assert "query: the words 'class 2'" in view.summary()
    assert (view._takes_text, view.state_for_page()["_takes_text"]) == (True, False)
    view.focus = saved.ids[3]
    assert view._query == {}
    with pytest.raises(DataError, match="there are no words"):
        view.query_text(" ")
    ((content, _),) = sent(view, {"kind": "query", "number": 2, "query": {"text": "class 1"}})
    assert content["rows"][0] == int(view.searched.unit[:, 1].argmax())


def test_words_are_embedded_once_and_what_fails_leaves_the_view_whole(saved: SavedEmbeddings) -> None:
    asked: list[str] = []

    def encode(words: str) -> torch.Tensor:
        asked.append(words)
        if words == "stop":
            raise RuntimeError("out of words")
        return torch.ones(8, requires_grad=True)

    view = RetrievalGallery(saved, text_encoder=encode)
    view.query_text("a flower")
    sent(view, {"kind": "query", "number": 2, "query": {"text": "a flower"}})
    assert len(view.results) == 20
    assert view.summary().endswith("query: the words 'a flower'")
    assert asked == ["a flower"]
    view._query = {"text": "stop"}
    assert "the words 'stop' could not be searched with: RuntimeError: out of words" in html.unescape(view.still())
    assert view.summary() == RetrievalGallery(saved).summary()


def test_what_the_encoder_warns_of_is_told_in_view_still_and_python(saved: SavedEmbeddings) -> None:
    def encode(words: str) -> np.ndarray:
        warnings.warn("an encoder's own business", FutureWarning, stacklevel=2)
        if len(words.split()) > 2:
            warnings.warn("only <2> words are read", DataWarning, stacklevel=2)
        return np.eye(8)[0]

    view = RetrievalGallery(saved, text_encoder=encode)
    with pytest.warns(DataWarning, match="only <2> words are read"), pytest.warns(FutureWarning, match="own business"):
        view.query_text("a red flower")
    ((content, _),) = sent(view, {"kind": "query", "number": 2, "query": {"text": "a red flower"}})
    assert content["note"] == "only <2> words are read"
    assert "only &lt;2&gt; words are read" in view.still()
    with warnings.catch_warnings():
        warnings.simplefilter("error", DataWarning)
        warnings.simplefilter("ignore", FutureWarning)
        view.query_text("flower")
    assert "words are read" not in view.still()
    ((content, _),) = sent(view, {"kind": "query", "number": 3, "query": {"row": 0}})
    assert content["note"] == ""


@pytest.mark.parametrize("vector", [np.ones(5), np.zeros(8), np.full(8, np.nan), np.ones((1, 8))])
def test_a_text_encoder_of_another_space_is_refused(saved: SavedEmbeddings, vector: np.ndarray) -> None:
    view = RetrievalGallery(saved, text_encoder=lambda words: vector)
    with pytest.raises(DataError, match=r"text_encoder gave an array of shape .* it must be 8 finite numbers"):
        view.query_text("a flower")
    assert view._query == {}
    with pytest.raises(ConfigError, match="has no text_encoder"):
        RetrievalGallery(saved).query_text("a flower")


def test_another_run_can_be_shown(tiny_run: Run, saved: SavedEmbeddings) -> None:
    view = RetrievalGallery(saved)
    view.focus, view.selection = saved.ids[1], saved.ids[:3]
    view.run = str(tiny_run.path)
    assert view.status == ""
    assert (view.focus, view.selection, len(view.ids)) == ("", [], 20)
    view.focus = next(name for name in view.ids if "class_12" in name)
    assert "class_12" in view.results["class"].tolist()
    view.run = "/nowhere"
    assert "is not a run directory" in view.status


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"no image", "is not an image that can be read"),
        (png()[:60], "is not an image that can be read"),
        (b"0" * (LARGEST + 1), "has 8.0 MB; save it with at most 8 MB"),
        (png(), "has no model to embed files with; make it with model=RUN"),
    ],
)
def test_files_that_cannot_be_searched_with_are_refused_politely(
    saved: SavedEmbeddings, data: bytes, sentence: str
) -> None:
    view = RetrievalGallery(saved)
    ((content, _),) = sent(view, {"kind": "upload", "number": 3, "name": "x\n.png"}, (data,))
    assert (content["kind"], content["number"]) == ("failed", 3)
    assert sentence in content["text"]
    assert sentence in view.status


def test_images_of_too_many_pixels_are_refused(saved: SavedEmbeddings) -> None:
    buffer = io.BytesIO()
    Image.new("1", (9000, 9000)).save(buffer, "PNG")
    ((content, _),) = sent(RetrievalGallery(saved), {"kind": "upload", "number": 3, "name": "x"}, (buffer.getvalue(),))
    assert "x has 9000 x 9000 pixels; save it smaller" in content["text"]


def test_indexes_are_exchangeable(saved: SavedEmbeddings, tmp_path: Path) -> None:
    given = GalleryIndex.build(saved.embeddings, saved.ids, "hnsw")
    on_disk = StoredIndex.build(tmp_path / "index", saved.embeddings[::-1].copy(), saved.ids[::-1])
    exact = RetrievalGallery(saved).searched.answer({"row": 0}, 5)
    assert exact["recall"] == ""
    for index, recall in {given: 1, "hnsw": 1, "ivf": 1, on_disk: 0, on_disk.folder: 0}.items():
        view = RetrievalGallery(saved, index=index)  # type: ignore[arg-type]
        told = {"recall": "finds 100.0 % of the true ten" if recall else ""}
        assert view.searched.answer({"row": 0}, 5) == exact | told
    with pytest.raises(ConfigError, match="'flat' is unknown"):
        RetrievalGallery(saved, index="flat")  # type: ignore[arg-type]
    given.remove(saved.ids[:1])
    with pytest.raises(DataError, match="the index holds 19 images of 8 numbers each; it must hold these 20"):
        RetrievalGallery(saved, index=given)


def test_left_out_and_missing_pictures_are_said(tmp_path: Path) -> None:
    saved_set(tmp_path, bad=3)
    (tmp_path / "tiles.json").unlink()
    view = RetrievalGallery(SavedEmbeddings(tmp_path))
    assert len(view.ids) == 17
    assert view._notes[0] == "3 left out: their embeddings hold NaN or infinity"
    assert view._notes[1].startswith(f"no thumbnails in {tmp_path}: ")
    assert Markup(view.still()).all("img")
    assert "3 left out: their embeddings hold NaN or infinity" in view.still()


def test_a_missing_page_of_thumbnails_leaves_the_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vptsp_widgets.gallery.view._PAGES_KEPT", 0)  # tiles come with the answer
    saved = saved_set(tmp_path)
    (tmp_path / "page_0.jpg").unlink()
    view = RetrievalGallery(saved, k=3)
    view.focus = saved.ids[4]
    assert len(Markup(view.still()).all("img")) == 4
    ((answer, buffers),) = sent(view, {"kind": "query", "number": 1, "query": {"row": 4}})
    assert (answer["kind"], len(buffers)) == ("result", 4)
    ((answer, buffers),) = sent(view, {"kind": "tiles", "rows": [3, 5]})
    assert (answer, len(buffers)) == ({"kind": "tiles", "rows": [3, 5]}, 2)
    sent(view, {"kind": "page", "page": 0})
    assert view.status.startswith(f"the thumbnails {tmp_path / 'page_0.jpg'} cannot be read")


@pytest.mark.parametrize("query", ["none", "image", "proxy"])
def test_stills_hold_in_untrusted_notebooks_whatever_the_names(saved: SavedEmbeddings, query: str) -> None:
    view = RetrievalGallery(saved, proxies={"learned": np.eye(1, 8)}, proxy_names=[EVIL])
    if query == "image":
        view.focus = saved.ids[0]
    elif query == "proxy":
        view.query_proxy("learned", EVIL)
    still = view.still()
    assert refused_by_sanitiser(still) == []
    assert outside_references(still) == []
    assert all(image["src"].startswith("data:image/jpeg") and image["alt"] for image in Markup(still).all("img"))
    assert len(Markup(still).all("img")) >= 10
    assert "\n" not in view.summary()


def test_an_empty_set_is_refused(tmp_path: Path) -> None:
    saved_set(tmp_path, bad=20)
    with pytest.raises(DataError, match="no images that could be searched; 20 left out: their embeddings"):
        RetrievalGallery(SavedEmbeddings(tmp_path))


@settings(max_examples=100)
@given(st.data())
def test_true_ranks_are_those_of_the_whole_order(data: st.DataObject) -> None:
    """Against a stable sort of all images; few values, so that many tie."""
    count = data.draw(st.integers(1, 30))
    draw = lambda strategy: np.array(data.draw(st.lists(strategy, min_size=count, max_size=count)))  # noqa: E731
    similarities, is_true, is_gallery = (
        draw(st.integers(0, 3)).astype(np.float32),
        draw(st.booleans()),
        draw(st.booleans()),
    )
    own = data.draw(st.none() | st.integers(0, count - 1))
    order = [row for row in np.argsort(-similarities, kind="stable") if is_gallery[row] and row != own]
    certain = np.array(order[: data.draw(st.integers(0, len(order)))], dtype=np.int64)
    expected = [rank for rank, row in enumerate(order, start=1) if is_true[row]]
    assert true_ranks(similarities, is_true, is_gallery, own, certain).tolist() == expected
