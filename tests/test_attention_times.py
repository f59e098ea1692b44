"""Attention by measurement: what is measured once is chosen ever after; what happens to the file harms nothing."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vptsp import doctor
from vptsp.attention_times import HOW, AttentionTimes, device_name
from vptsp.core.backbones import kernels
from vptsp.core.backbones.attention import attend, rule_for, run_block
from vptsp.errors import ConfigError
from vptsp.machine import make_fabric

CPU = torch.device("cpu")


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[AttentionTimes]:
    keeper = AttentionTimes(tmp_path)
    kernels.measure_by(keeper)
    yield keeper
    kernels.measure_by(None)


def parts(dtype: torch.dtype = torch.float32, keys: int = 7) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = (3, 2, 5, 8), (3, 2, keys, 8), (3, 2, keys, 8)
    query, key, value = (torch.randn(shape, generator=generator).to(dtype) for shape in shapes)
    return query, key, value


def set_times(keeper: AttentionTimes, fused: float, matmul: float) -> None:
    """As if every shape that was measured so far had taken this long, in a new process."""
    everything = keeper.read()
    for times in everything.values():
        for shape in times:
            times[shape] = {"fused": fused, "matmul": matmul}
    keeper.file.write_text(json.dumps(everything))
    kernels._chosen.clear()


@pytest.mark.parametrize("rule", ["fused", "matmul"])
@pytest.mark.parametrize("faster", ["fused", "matmul"])
def test_what_was_measured_is_what_is_computed(
    kept: AttentionTimes, monkeypatch: pytest.MonkeyPatch, rule: kernels.Way, faster: kernels.Way
) -> None:
    monkeypatch.setattr("vptsp.core.backbones.attention.rule_for", lambda query: rule)
    query, key, value = parts(torch.float16, keys=40)  # where the two ways differ in rounding
    by_hand = {way: attend(query, key, value, 0.3, way, False)[0] for way in ("fused", "matmul")}
    assert not torch.equal(by_hand["fused"], by_hand["matmul"])
    attend(query, key, value, 0.3, "auto", False)
    (shape,) = kept.read()[device_name(CPU)]
    assert shape == "float16 2x5x40x8"
    set_times(kept, *((1.0, 2.0) if faster == "fused" else (2.0, 1.0)))
    assert torch.equal(attend(query, key, value, 0.3, "auto", False)[0], by_hand[faster])


def test_a_small_gain_is_left(kept: AttentionTimes) -> None:
    query, key, value = parts(torch.float16, keys=40)
    attend(query, key, value, 0.3, "auto", False)
    rule = rule_for(query)
    other = "matmul" if rule == "fused" else "fused"
    kept_times = {rule: 1.0, other: 0.81}
    assert kernels.faster(kept_times, rule) == rule
    assert kernels.faster(kept_times | {other: 0.79}, rule) == other


def test_times_are_of_shape_type_and_gradients_not_of_the_batch(kept: AttentionTimes) -> None:
    query, key, value = parts()
    attend(query, key, value, 1.0, "auto", False)
    attend(query[:2], key[:2], value[:2], 1.0, "auto", False)
    assert set(kept.read()[device_name(CPU)]) == {"float32 2x5x7x8"}
    attend(query.requires_grad_(), key, value, 1.0, "auto", False)
    attend(*parts(torch.float64), 1.0, "auto", False)
    attend(*parts(), 1.0, "auto", False, torch.zeros(5, 7))
    with torch.no_grad():
        attend(query, key, value, 1.0, "auto", False)
    assert set(kept.read()[device_name(CPU)]) == {
        "float32 2x5x7x8", "float32 2x5x7x8 gradients", "float64 2x5x7x8", "float32 2x5x7x8 bias",
    }  # fmt: skip


def test_a_trial_leaves_no_trace(kept: AttentionTimes) -> None:
    torch.manual_seed(3)
    query, key, value = (part.requires_grad_() for part in parts())
    state = torch.get_rng_state()
    out = attend(query, key, value, 0.5, "auto", False)[0]
    assert torch.equal(state, torch.get_rng_state())
    assert query.grad is None
    out.sum().backward()
    gradient = query.grad.clone()
    query.grad = None
    attend(query, key, value, 0.5, kernels.faster({}, rule_for(query)), False)[0].sum().backward()
    assert torch.allclose(gradient, query.grad, atol=1e-6)


def test_without_a_keeper_or_while_it_is_traced_the_rule_decides(kept: AttentionTimes) -> None:
    class Attention(torch.nn.Module):
        def forward(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
            return attend(query, key, value, 1.0, "auto", False)[0]

    exported = torch.export.export(Attention(), parts())
    assert kept.read() == {}
    assert torch.allclose(exported.module()(*parts()), Attention()(*parts()), atol=1e-6)
    assert kept.read() != {}
    kernels.measure_by(None)
    kept.file.unlink()
    attend(*parts(), 1.0, "auto", False)
    assert not kept.file.exists()


def test_a_trial_inside_of_what_is_computed_again_is_no_part_of_it(kept: AttentionTimes) -> None:
    query, key, value = (part.requires_grad_() for part in parts())

    def block(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        return attend(query, key, value, 0.5, "auto", False)[0]

    run_block(block, True, query, key, value).sum().backward()
    assert list(kept.read()[device_name(CPU)]) == ["float32 2x5x7x8 gradients"]
    assert query.grad is not None


def _chosen(folder: Path) -> str:
    kernels.measure_by(AttentionTimes(folder))
    query, key, value = parts(torch.float16, keys=40)
    attend(query, key, value, 0.3, "auto", False)
    return next(iter(kernels._chosen.values()))


def test_processes_that_begin_together_choose_alike(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        assert len(set(pool.map(_chosen, [tmp_path] * 6))) == 1
    assert len(AttentionTimes(tmp_path).read()[device_name(CPU)]) == 1


@given(st.binary(max_size=40) | st.recursive(
    st.none() | st.floats() | st.text(max_size=5), lambda inner: st.dictionaries(
        st.sampled_from([device_name(CPU), "float32 2x5x7x8", "fused", "matmul"]), inner, max_size=3), max_leaves=8
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_a_damaged_file_is_measured_again(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    keeper = AttentionTimes(tmp_path_factory.mktemp("times"))
    keeper.file.write_bytes(content)
    kernels.measure_by(keeper)
    try:
        expected = attend(*parts(), 1.0, "fused", False)[0]
        assert torch.allclose(attend(*parts(), 1.0, "auto", False)[0], expected, atol=1e-6)
    finally:
        kernels.measure_by(None)


def test_where_nothing_can_be_written_the_rule_decides(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    kernels.measure_by(AttentionTimes(tmp_path / "file"))
    try:
        query, key, value = parts()
        ruled = attend(query, key, value, 1.0, rule_for(query), False)[0]
        assert torch.equal(attend(query, key, value, 1.0, "auto", False)[0], ruled)
    finally:
        kernels.measure_by(None)


def test_the_doctor_tells_what_was_measured(monkeypatch: pytest.MonkeyPatch, kept: AttentionTimes) -> None:
    monkeypatch.setattr(AttentionTimes, "of_this_user", lambda: kept)
    assert "not timed on this machine yet" in doctor.attention().what
    attend(*parts(), 1.0, "auto", False)
    attend(*parts(torch.float64), 1.0, "auto", False)
    set_times(kept, 1.0, 3.0)
    assert doctor.attention().what == f"of 2 shapes fused is the faster way for 2 (at most 3.0 x); {kept.file}"


def test_the_rule_can_be_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VPTSP_CACHE", str(tmp_path))
    monkeypatch.delenv(HOW)
    assert AttentionTimes.of_this_user().file == tmp_path / "attention.json"
    assert AttentionTimes.of_this_user() is AttentionTimes.of_this_user()
    monkeypatch.setenv(HOW, "rule")
    assert AttentionTimes.of_this_user() is None
    assert doctor.attention().what.startswith("by rule")
    make_fabric("cpu")
    assert kernels._keeper is None
    monkeypatch.setenv(HOW, "fused")
    with pytest.raises(
        ConfigError, match="VPTSP_ATTENTION='fused' in the environment is unknown; legal: rule, or nothing"
    ):
        make_fabric("cpu")


def test_a_trial_that_finds_no_memory_beside_a_training_decides_nothing() -> None:
    def full(*parts: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("not a byte left")

    assert kernels._seconds({"fused": full, "matmul": full}, list(parts()), True) == {}
    assert kernels.faster({}, "fused") == "fused"
