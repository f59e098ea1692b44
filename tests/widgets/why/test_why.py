from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from markup import Markup, refused_by_sanitiser
from PIL import Image
from safetensors.numpy import load_file, save_file
from vptsp_widgets.gallery import RetrievalGallery
from vptsp_widgets.linking import link
from vptsp_widgets.view import View
from vptsp_widgets.why import WhyNeighbour
from vptsp_widgets.why.pair import Explained

from vptsp.analysis.explain import prompt_effects
from vptsp.data.folder import any_folder
from vptsp.errors import DataError
from vptsp.evaluation.evaluate import embed_folder
from vptsp.runs.embeddings import SavedEmbeddings, save_embeddings
from vptsp.runs.run import Run
from vptsp.settings.config import Config


@pytest.fixture(scope="module")
def view(tiny_run: Run) -> WhyNeighbour:
    """One view for tests that set what they need."""
    return WhyNeighbour.of_run(tiny_run)


def test_a_query_comes_with_its_nearest_image_of_another_class(view: WhyNeighbour) -> None:
    saved = view.saved
    view.focus = saved.ids[7]
    assert view.query == saved.ids[7]
    others = np.flatnonzero(saved.labels != saved.labels[7])
    nearest = others[(saved.embeddings[others] @ saved.embeddings[7]).argmax()]
    assert view.neighbour == saved.ids[nearest]
    listed = view._pair["candidates"]
    assert [one["rank"] for one in listed[:10]] == list(range(1, 11))
    assert view._pair["neighbour"] in [one["row"] for one in listed]
    assert [one["same"] for one in listed] == [bool(saved.labels[one["row"]] == saved.labels[7]) for one in listed]


def test_one_pair_has_one_similarity_in_all_views(tiny_run: Run, tmp_path: Path) -> None:
    run = Run(shutil.copytree(tiny_run.path, tmp_path / "run"))
    file = run.path / "embeddings" / "test" / "embeddings.safetensors"
    tensors = load_file(file)
    rough = torch.from_numpy(tensors["embeddings"]).to(torch.bfloat16).float().numpy()  # as a GPU embeds
    save_file({**tensors, "embeddings": rough}, file)
    why, gallery = WhyNeighbour.of_run(run), RetrievalGallery.of_run(run)
    gallery.focus = why.query
    said = gallery.results.set_index("id")["similarity"]
    for neighbour in said.index[:5]:
        why.neighbour = neighbour
        assert why.similarity == pytest.approx(said[neighbour], abs=1e-6)
        assert why._pair["similarity"] == why.similarity
        (candidate,) = [one for one in why._pair["candidates"] if one["row"] == why._pair["neighbour"]]
        assert candidate["similarity"] == why.similarity


def test_numbers_are_those_of_the_model(view: WhyNeighbour) -> None:
    view.query, view.neighbour = view.ids[0], view.ids[9]
    saved = view.saved.embeddings
    assert view.similarity == pytest.approx(float(saved[0] @ saved[9]), abs=1e-4)
    pictures = [view._sources.input(name, view.model.backbone) for name in (view.query, view.neighbour)]
    np.testing.assert_allclose(view.effects, prompt_effects(view.model, *pictures), atol=1e-6)
    assert np.frombuffer(view._effects, dtype="<f4").reshape(view.effects.shape).tolist() == view.effects.tolist()
    shape = view._pair["shape"]
    patches = np.frombuffer(view._patches, dtype="<f4").reshape(2, shape["blocks"], shape["heads"], *shape["grid"])
    np.testing.assert_array_equal(patches, view.attention.patches)


def test_the_front_end_chooses_by_row_and_its_number_comes_back(view: WhyNeighbour) -> None:
    view._wanted = {"number": 5, "query": 3, "neighbour": 12}
    assert (view.query, view.neighbour, view.focus) == (view.ids[3], view.ids[12], view.ids[3])
    assert view._pair["number"] == 5
    view._wanted = {"number": 6, "mistake": True}
    assert view._pair["number"] == 6
    view._wanted = {"number": 7, "query": 99, "neighbour": 0}
    assert "IndexError" in view.status
    view.status = ""


def test_effects_asked_for_by_the_front_end_arrive_from_another_thread(view: WhyNeighbour) -> None:
    view.query, view.neighbour = view.ids[1], view.ids[14]
    assert view._effects == b""
    before = set(threading.enumerate())
    view._handle({"kind": "effects"}, [])
    for thread in set(threading.enumerate()) - before:
        thread.join(60)
    assert len(np.frombuffer(view._effects, dtype="<f4")) == view.effects.size > 0


def test_effects_of_a_pair_that_is_no_longer_shown_are_dropped(
    view: WhyNeighbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    advance = Explained.advance

    def slow(explained: Explained) -> np.ndarray:  # so slow that the next pair comes meanwhile
        found = advance(explained)
        monkeypatch.setattr(Explained, "advance", advance)
        view.query = view.ids[6]
        return found

    view.query = view.ids[2]
    monkeypatch.setattr(Explained, "advance", slow)
    view._compute_effects((view.query, view.neighbour))
    assert (view.query, view._effects) == (view.ids[6], b"")


def test_the_display_waits_a_second_for_effects_and_says_what_is_missing(
    view: WhyNeighbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vptsp_widgets.why.view._PATIENCE", -1.0)
    view.query = view.ids[11]
    blocks = len(view.model.prompts())
    still = view.still()
    assert len(view._effects) == 0
    assert f"Of {blocks} blocks, the effects of the first 0 are known" in still
    assert not Markup(still).all("table")
    view._explained().advance()
    assert Markup(view.still()).all("table")
    assert "the effects of the first 1 are known" in view.still()
    monkeypatch.setenv("VPTSP_HEADLESS", "1")  # nobody would ever show the others
    assert "are known" not in view.still()
    assert len(view._effects) == 4 * view.effects.size


def test_a_wish_that_fails_is_answered(view: WhyNeighbour, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict[str, object]] = []
    monkeypatch.setattr(view, "send", told.append)
    for number in (31, 32):  # the same trouble twice, which changes no trait the second time
        view._wanted = {"number": number, "query": 99, "neighbour": 0}
    assert [(message["kind"], message["number"]) for message in told] == [("failed", 31), ("failed", 32)]
    assert "IndexError" in str(told[0]["text"])


def test_focus_of_a_linked_view_is_the_query(view: WhyNeighbour) -> None:
    other = View(view.ids)
    undo = link(other, view)
    other.focus = view.ids[4]
    assert view.query == view.ids[4]
    view.query = view.ids[6]
    assert other.focus == view.ids[6]
    undo()


def test_another_run_replaces_everything(tiny_run: Run, tmp_path: Path) -> None:
    shutil.copytree(tiny_run.path, tmp_path / "other")
    saved = SavedEmbeddings.of_run(tmp_path / "other", "train")
    images = any_folder(Path(str(tiny_run.config.data_root)) / "train").subset(range(len(saved)))
    save_embeddings(tmp_path / "other" / "embeddings" / "test", torch.from_numpy(saved.embeddings), images)
    view = WhyNeighbour.of_run(tiny_run)
    view.run = str(tmp_path / "other")
    assert view.status == "" or view.status.startswith("The thumbnail stands in")
    assert view.ids == tuple(images.ids)
    assert view.query in images.ids
    view.run = str(tmp_path / "nowhere")
    assert "nowhere is not a run directory" in view.status
    assert view.ids == tuple(images.ids)


def test_still_is_plain_html_that_says_what_it_shows(view: WhyNeighbour) -> None:
    page = view.still()
    assert refused_by_sanitiser(page) == []
    markup = Markup(page)
    (image,) = markup.all("img")
    assert "cosine similarity" in image["alt"]
    assert len(markup.all("tr")) == 7  # a head and the six strongest effects
    assert f"similarity {view.similarity:.3f}" in view.summary()


def test_unknown_images_are_refused(view: WhyNeighbour) -> None:
    with pytest.raises(DataError, match="'nowhere' is not an image of this view"):
        view.query = "nowhere"


def test_methods_without_prompts_say_so(tiny_run: Run) -> None:
    saved = SavedEmbeddings.of_run(tiny_run, "test")
    view = WhyNeighbour(saved, Run.open(tiny_run.path / "baselines" / "linear"))
    assert view._pair["without"].endswith("has no visual prompts, so there is none to switch off.")
    assert "no visual prompts" in view.still()
    assert view.effects.size == 0


def test_a_folder_of_strange_names_and_a_missing_image(tiny_run: Run, tmp_path: Path) -> None:
    root = tmp_path / "mine"
    for name in ("<b>bold", "\u05e9\u05dc\u05d5\u05dd", 'a "quote" & 🌸'):
        (root / name).mkdir(parents=True)
        for number in range(2):
            pixels = np.full((40, 30, 3), 60 * number + 10 * len(name), np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    saved = embed_folder(tiny_run, root, tmp_path / "kept")
    view = WhyNeighbour(saved, tiny_run, root, query="mine/<b>bold/0.png")
    assert view.status == ""
    assert not Markup(view.still()).all("b")
    (root / "<b>bold" / "1.png").unlink()
    view = WhyNeighbour(saved, tiny_run, any_folder(root), query="mine/<b>bold/1.png")
    assert view.status.startswith("The thumbnail stands in for mine/<b>bold/1.png")
    assert len(view._query_picture) > 500
    (saved.folder / "tiles.json").unlink()
    view = WhyNeighbour(SavedEmbeddings(saved.folder), tiny_run, any_folder(root), query="mine/<b>bold/1.png")
    assert view.status.startswith("A grey square stands in for mine/<b>bold/1.png")


def test_images_without_finite_embeddings_are_counted(
    tiny_run: Run, tiny: Callable[..., Config], tmp_path: Path
) -> None:
    images = any_folder(Path(str(tiny_run.config.data_root)) / "test")
    vectors = torch.nn.functional.normalize(torch.randn(len(images), 16), dim=1)
    vectors[3] = torch.nan
    save_embeddings(tmp_path, vectors, images)
    view = WhyNeighbour(SavedEmbeddings(tmp_path), tiny_run, images)
    assert view.status == "1 left out: their embeddings hold NaN or infinity"
    assert view.status in view.still()
    save_embeddings(tmp_path, vectors[:1], images.subset([0]))
    with pytest.raises(DataError, match="holds 1 embedded images"):
        WhyNeighbour(SavedEmbeddings(tmp_path), tiny_run, images)
