"""Features of augmented images on disk: what one run's frozen backbone has computed, every later one reads.

A linear probe or an MLP-k trains on what the backbone says of augmented batches, and which these are is decided by
data, seed and transform alone: runs that differ in learning rates, loss or head compute the same features again. The
first writes those of each epoch to a file, named by a digest of all that they depend on; the next reads it and decodes
no image. Weights and metrics are the same, to the bit.

The files lie in ``augmented/`` of the folder that ``VPTSP_CACHE`` names, else of ``vptsp/`` in the user's cache folder
(:func:`vptsp.home.cache_folder`), and may be deleted at any time. Where nothing can be written, nothing is kept.
``VPTSP_SHARED_FEATURES=off`` in the environment has every run compute its own.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from vptsp.attention_times import device_name
from vptsp.core.model import ModelOutput
from vptsp.data.cache import fingerprint
from vptsp.data.image_set import ImageSet
from vptsp.data.loaders import Loader, TrainSampler
from vptsp.data.registry import DATASETS
from vptsp.devices.alike import code_digest, digest, tensor_digest
from vptsp.errors import ConfigError, DataError, RunError
from vptsp.files import read_tensors, write_tensors
from vptsp.home import cache_folder, make_room
from vptsp.settings.build import ConfiguredModel

if TYPE_CHECKING:
    import lightning_fabric as lightning

HOW = "VPTSP_SHARED_FEATURES"  # "off": every run computes its own
# Bytes: of one file, which is first kept in memory; of the first epochs of one run; of the folder. A run that does not
# fit whole would otherwise drive out its own first epochs, which the next needs first.
MOST_OF_AN_EPOCH, MOST_OF_A_RUN, MOST_OF_ALL = 1 << 28, 1 << 30, 1 << 31
_DRAWN = ("blossoms", "digits")  # of no files, and the same as long as the code is

# Settings that decide nothing before the head, or whose effect is asked for directly. One that is missing here costs
# a second computation, and never a wrong number.
_AFTER_BACKBONE = """
augment_fit method mlp_layers embedding_size head_input head_init head_shrinkage proxy_init proxy_length proxies alpha
num_prompts head_epochs step_back bias_lr_factor
loss loss_args miner miner_args loss_memory loss_scale loss_margin positive_mean loss_proxies
epochs optimizer lr lr_backbone lr_proxy momentum weight_decay weight_decay_head decay_vectors cosine_length
warmup_epochs warmup_lr schedule cosine_min grad_clip grad_clip_each weight_average feature_noise anti_collapse
recall_ks eval_every select_by select_start select_finish finish_shrinkages track_test track_from probe_images
num_workers tracker patience device precision strategy
"""
_AFTER = frozenset(_AFTER_BACKBONE.split())


class SharedFeatures:
    """The forward pass of a model whose backbone is frozen, called as the model is: with images, or with features.

    :meth:`over` gives the batches of an epoch: features where they are kept, else images, whose features are then kept
    once the epoch is over.
    """

    def __init__(self, model: ConfiguredModel, fabric: lightning.Fabric, state: str, images: ImageSet) -> None:
        self.model, self.precision, self.state = model, fabric.strategy.precision, state
        self.labels = torch.as_tensor(images.labels)
        self.reads = False  # whether the epoch under way is one of kept features
        self._new: list[Tensor] | None = None  # of the epoch under way, if they are to be kept

    @classmethod
    def of(cls, model: ConfiguredModel, fabric: lightning.Fabric, images: ImageSet) -> SharedFeatures | None:
        """None where something before the head trains or is random, or where it is not certain what images hold.

        Raises ConfigError for a ``VPTSP_SHARED_FEATURES`` that means nothing.
        """
        how = os.environ.get(HOW, "")
        if how not in ("", "off"):
            raise ConfigError(f"{HOW}={how!r} in the environment is unknown; legal: off, or nothing to share features")
        if how or not _only_heads_train(model) or not _is_known(model):
            return None
        try:
            return cls(model, fabric, _state(model, fabric, images), images)
        except DataError:  # images of no files
            return None

    def __call__(self, given: Tensor, labels: Int[Tensor, " B"]) -> ModelOutput:
        """Of images (B, 3, S, S), or of their features (B, D)."""
        with self.precision.forward_context():
            features = given if given.ndim == 2 else self.model.backbone_features(given)
            output = self.model.with_proxies(self.model.from_backbone_features(features), labels)
        if self._new is not None:
            self._new.append(features.detach().cpu())
        converted: ModelOutput = self.precision.convert_output(output)
        return converted

    def over(self, loader: Loader, sampler: TrainSampler) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """What is left of the epoch that the sampler was set to: images or features, labels, positions."""
        epoch, start = sampler.epoch, sampler.start_batch
        sampler.set_epoch(epoch)
        draws = np.array(list(sampler), dtype=np.int64)  # (batches, B, 3)
        sampler.set_epoch(epoch, start)
        name = hashlib.sha256(self.state.encode() + draws.tobytes()).hexdigest()[:32]
        kept, self._new = _read(name, draws.shape[:2]), None
        self.reads = kept is not None
        if kept is not None:
            positions = torch.from_numpy(draws[..., 0].copy())
            for batch in range(start, len(draws)):
                yield kept[batch], self.labels[positions[batch]], positions[batch]
            return
        self._new = [] if start == 0 else None
        for number, batch in enumerate(loader):
            yield batch
            if number == 0 and self._new and not _fits(self._new[0].nbytes * len(draws), epoch):
                self._new = None
        if self._new is not None and len(self._new) == len(draws):
            _write(name, torch.stack(self._new))
        self._new = None


def _only_heads_train(model: ConfiguredModel) -> bool:
    """Whether nothing but the head, hidden layers before it, learned proxies and the loss is trained or random."""
    parts = (model.location, model.key_values, model.side, model.semantic, model.guide, model.dynamics)
    if any(part is not None for part in parts) or any(model.prompts.counts) or model.config.drop_path:
        return False
    heads = ("head.", "hidden.", "learned", "criterion.")
    return all(name.startswith(heads) for name, value in model.named_parameters() if value.requires_grad)


def _is_known(model: ConfiguredModel) -> bool:
    """Whether data set and backbone are of the workbench and timm: the code of others may change unseen."""
    builder = DATASETS.find(model.config.dataset).builder
    return str(builder).startswith("vptsp.") and type(model.backbone.vit).__module__.startswith("timm.")


def _state(model: ConfiguredModel, fabric: lightning.Fabric, images: ImageSet) -> str:
    """A digest of everything that features of a batch depend on, but for the draws. Raises DataError for images of
    which nobody can say whether they changed."""
    settings = {name: value for name, value in model.config.model_dump(mode="json").items() if name not in _AFTER}
    drawn = model.config.dataset in _DRAWN
    content = [(known, "" if drawn else fingerprint(images.load, at)) for at, known in enumerate(images.ids)]
    facts = (
        settings,
        content,
        images.mirror_ok,
        code_digest(),
        [version(name) for name in ("numpy", "pillow", "timm", "torchvision")],
        tensor_digest(model.backbone.vit.state_dict()),  # biases too, of which its fingerprint says nothing
        model.kernel,
        device_name(fabric.device),
        torch.get_float32_matmul_precision(),
        fabric.strategy.precision.precision,
        os.environ.get("VPTSP_ATTENTION"),
    )
    return digest(facts)


# --- files ------------------------------------------------------------------------------------------
def folder() -> Path:
    """Where features are kept; it may not be there yet. Raises RuntimeError where there is no home directory."""
    return cache_folder() / "augmented"


def _read(name: str, shape: tuple[int, ...]) -> Float[Tensor, "batches B D"] | None:
    """Features of an epoch, if they are kept and whole."""
    with suppress(OSError, RuntimeError, RunError, KeyError):
        path = folder() / f"{name}.safetensors"
        found = read_tensors(path, "")
        features = found["features"]
        if features.shape[:2] == shape and torch.equal(found["sum"], _sum(features)):
            os.utime(path)  # what is used stays
            return features
    return None


def _write(name: str, features: Float[Tensor, "batches B D"]) -> None:
    """Keep features of an epoch, if they can be written."""
    with suppress(OSError, RuntimeError, RunError):
        make_room(folder().iterdir(), features.nbytes, MOST_OF_ALL)
        write_tensors(folder() / f"{name}.safetensors", {"features": features, "sum": _sum(features)})


def _sum(features: Tensor) -> Tensor:
    return torch.tensor(list(bytes.fromhex(tensor_digest({"features": features}))), dtype=torch.uint8)


def _fits(size: int, epoch: int) -> bool:
    """Whether an epoch of so many bytes is one to keep."""
    with suppress(OSError, RuntimeError):
        folder().mkdir(parents=True, exist_ok=True)
        room = shutil.disk_usage(folder()).free > MOST_OF_ALL
        return room and size <= MOST_OF_AN_EPOCH and (epoch + 1) * size <= MOST_OF_A_RUN
    return False
