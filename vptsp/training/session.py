"""Everything a run needs, built and checked before anything is written."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from vptsp.core.backbones.compiled import why_not
from vptsp.core.backbones.load import load_backbone
from vptsp.data import load_data
from vptsp.data.hopeless_runs import require_scorable
from vptsp.data.image_set import DataSplits, ImageSet
from vptsp.data.loaders import EvalPasses, Loader, PartSampler, TrainSampler, train_loader
from vptsp.data.transforms import train_transform
from vptsp.devices.alike import code_digest, digest, tensor_digest
from vptsp.devices.surroundings import surroundings
from vptsp.devices.world import World
from vptsp.errors import ConfigError, MachineWarning, TrainingError
from vptsp.runs.checkpoints import own_state
from vptsp.settings.build import ConfiguredModel, build_model
from vptsp.settings.config import Config
from vptsp.settings.losses import require_loss
from vptsp.settings.methods import METHODS
from vptsp.training.augment_by_images import Augmentation, fitting_augmentation
from vptsp.training.frozen_weights import keep_frozen_weights
from vptsp.training.gradient_cache import DividedForward
from vptsp.training.optimizers import clip, make_optimizers
from vptsp.training.precision import Precision
from vptsp.training.schedule import head_alone
from vptsp.training.shared_features import SharedFeatures
from vptsp.training.trackers import require_tracker
from vptsp.training.weight_average import WeightAverage
from vptsp.training.whole_batch import RowOwners, WholeBatch

if TYPE_CHECKING:
    import lightning_fabric as lightning


@dataclass
class Session:
    """Settings completed from the backbone, data, model, optimisers; ``optimizers`` is empty if nothing trains."""

    config: Config
    splits: DataSplits
    world: World
    fabric: lightning.Fabric
    precision: Precision
    model: ConfiguredModel
    forward: Any  # the model as wrapped by Fabric, or in parts: same call, run under the chosen precision
    optimizers: tuple[Optimizer, ...]  # of everything else, of the learned proxies, of class prompts by rows
    loader: Loader
    sampler: TrainSampler
    augmentation: Augmentation | None = None  # fitted to the images, if the settings left something open
    passes: EvalPasses | None = None  # over the images that are looked at after every epoch
    changes: list[str] = field(default_factory=list)  # of the data, since the run was started
    compiles: bool = False  # whether training steps run compiled
    average: WeightAverage | None = None  # of what trains, if it is what counts

    @classmethod
    def prepare(cls, config: Config, world: World | None = None) -> Session:
        """Build all of it from settings; the seed decides what is random.

        ``world``: the processes that train together; none: those that this process was started in.
        Raises :class:`~vptsp.errors.UsageError` for a tracker, loss, device, backbone or data that cannot be had, in
        all processes alike, and :class:`~vptsp.errors.ConfigError` where they have other settings, code or data than
        the first.
        """
        world = world or join(config)
        session = world.all_well(lambda: cls._build(config, world))
        if not world.alone:
            world.require_alike(**session._facts())
        session._set_up()
        return session

    def _facts(self) -> dict[str, Any]:
        """What must be the same in all processes, by its name in a sentence."""
        settings = {name: v for name, v in self.config.model_dump(mode="json").items() if name not in _ANYWHERE}
        sets = [images for images in (self.splits.train, self.splits.val, self.splits.test) if images is not None]
        return {
            "settings": settings,
            "code": code_digest(),
            "backbone weights": self.model.backbone.fingerprint,
            "images": digest([(list(images.ids), images.labels.tolist()) for images in sets]),
        }

    @classmethod
    def _build(cls, config: Config, world: World) -> Session:
        """All that needs no other process."""
        require_tracker(config.tracker)
        require_loss(config)
        config = in_world(config, world)
        fabric = world.fabric
        backbone = load_backbone(
            config.backbone, config.backbone_weights, config.image_size, config.pooling, config.seed
        )
        config = config.changed(image_size=backbone.image_size, **_absolute_paths(config))
        splits = load_data(config)
        require_scorable(splits, config.task, METHODS[config.method].trains)
        config = _fitted(config, splits)
        augmentation = None
        if METHODS[config.method].trains:
            augmentation = fitting_augmentation(backbone, splits.train, config, fabric)
            config = config.changed(augment_fit="none", **(augmentation.changes if augmentation else {}))
        torch.manual_seed(config.seed)
        model = build_model(config, backbone, len(splits.train.class_names))
        if not world.alone and model.criterion is not None and model.criterion.state_dict():
            raise ConfigError(
                f"loss={config.loss!r} with these settings has weights or a memory of its own, which several devices "
                "do not share yet; use devices=1, or a loss such as proxy_anchor"
            )
        transform = train_transform(
            backbone.image_size,
            backbone.mean,
            backbone.std,
            scale=(config.crop_min or _crop_min(splits.train), 1.0),
            flip=splits.train.mirror_ok if config.mirror is None else config.mirror,
            augment=config.augment,
        )
        loader = train_loader(
            splits.train,
            transform,
            batch_size=config.batch_size,
            images_per_class=config.images_per_class if config.batches_by_class else None,
            seed=config.seed,
            num_workers=config.num_workers,
            turn=world.turn,
        )
        sampler = loader.batch_sampler.whole if isinstance(loader.batch_sampler, PartSampler) else loader.batch_sampler
        assert isinstance(sampler, TrainSampler)
        return cls(config, splits, world, fabric, Precision(fabric), model, None, (), loader, sampler, augmentation)

    def _set_up(self) -> None:
        """Model and optimisers on the device, and in a world of processes wrapped for it."""
        model, config, world, fabric = self.model, self.config, self.world, self.fabric
        if not model.method.trains:
            model.to(fabric.device)
            return
        if model.rows is not None and not world.alone:
            model.rows.owners = RowOwners(world)
        self.compiles = config.compile and _can_compile(fabric.device)
        keep_frozen_weights(model, self.precision)
        whole = model if world.alone else WholeBatch(model, world)
        self.forward, *optimizers = fabric.setup(whole, *make_optimizers(model, config, fabric.device.type))
        self.optimizers = tuple(optimizers)
        self.average = WeightAverage(model, config.weight_average) if config.weight_average else None
        if config.images_per_pass is not None and config.images_per_pass < -(-config.batch_size // world.size):
            wrapped = None if world.alone else self.forward._forward_module
            self.forward = DividedForward(model, fabric, config.images_per_pass, world, wrapped)
        elif world.alone and not self.compiles:
            self.forward = SharedFeatures.of(model, fabric, self.splits.train) or self.forward

    def batches(self) -> Iterable[Any]:
        """What is left of the epoch that the sampler was set to: images, or features that are kept of them, labels and
        positions."""
        return self.forward.over(self.loader, self.sampler) if isinstance(self.forward, SharedFeatures) else self.loader

    @property
    def reads_features(self) -> bool:
        """Whether the epoch under way sees features that an earlier run computed."""
        return isinstance(self.forward, SharedFeatures) and self.forward.reads

    def require_together(self) -> None:
        """Raise :class:`~vptsp.errors.TrainingError` unless model and semantic proxies are the same bits everywhere."""
        if self.world.alone:
            return
        found = self.world.gather_objects(tensor_digest(own_state(self.model)))
        apart = [rank for rank, own in enumerate(found) if own != found[0]]
        if apart:
            raise TrainingError(
                f"processes {', '.join(map(str, apart))} of {self.world.size} have come to other weights than process "
                "0, so their devices do not compute alike; train on devices of one kind, and go on from the last "
                "checkpoint"
            )

    def backward(self, loss: Tensor) -> None:
        """Gradients of the loss of one :attr:`forward` pass, the same in all processes."""
        self.fabric.backward(loss)
        if isinstance(self.forward, DividedForward):
            self.forward.backward()
        if self.model.rows is not None and self.model.rows.leaves[0].grad is not None:
            self.world.mean_(self.model.rows.leaves[0].grad)  # of no parameter, so not averaged with them

    def clip_gradients(self) -> Tensor:
        """Norm of the whole gradient before it is clipped to the configured sizes, of the whole and of each number."""
        self.precision.unscale(self.optimizers)
        return clip(self.optimizers, self.config)

    def forget_gradients(self) -> None:
        """Gradients that no optimiser is to step by."""
        for optimizer in self.optimizers:
            optimizer.zero_grad()

    def forget_steps(self) -> None:
        """Optimisers as new ones: without what they, and the average of weights, remember of earlier steps."""
        if self.average is not None:
            self.average.begin()
        for optimizer in self.optimizers:
            getattr(optimizer, "optimizer", optimizer).state.clear()  # Fabric's wrapper holds torch's

    def step(self) -> None:
        """One step of all optimisers, after :meth:`clip_gradients`."""
        self.precision.step(self.optimizers)
        if self.average is not None:
            self.average.step()

    def as_judged(self) -> AbstractContextManager[None]:
        """Within, the model is what is validated and kept: with averaged weights, if the settings say so."""
        return nullcontext() if self.average is None else self.average.in_place()


# Settings that may differ from process to process: where things lie on its machine.
_ANYWHERE = ("data_root", "data_cache", "query_csv", "backbone_weights", "side_weights", "num_workers", "device")


def join(config: Config) -> World:
    """The processes that train together, of which this is one; it alone where it was started alone."""
    in_parts = config.images_per_pass is not None or any(head_alone(config, epoch) for epoch in range(config.epochs))
    return World.join(config.device, config.precision, config.patience, in_parts)


def in_world(config: Config, world: World) -> Config:
    """With as many devices and machines as there are in the world; where it was not given, whoever started it knows.

    Raises :class:`~vptsp.errors.ConfigError` for settings that ask for another number, or do not go with several.
    """
    place = surroundings()
    if world.alone or place is None:
        return config
    asked, there = (config.devices, config.num_nodes), (place.local_size, place.nodes)
    if asked not in ((1, 1), there):
        raise ConfigError(
            f"devices={asked[0]} and num_nodes={asked[1]} are asked for, and this process was started as one of "
            f"{place.size} on {place.nodes} machine(s); leave both out, or start as many"
        )
    return config.changed(devices=there[0], num_nodes=there[1])


def _can_compile(device: torch.device) -> bool:
    """Whether blocks can be compiled here; if not, it is said once and training does without."""
    reason = why_not(device)
    if reason:
        warnings.warn(
            f"compile=true: nothing can be compiled for {device} here ({reason}), so training goes on without; on "
            "Linux a C++ compiler such as g++ is what is missing most often",
            MachineWarning,
            stacklevel=2,
        )
    return not reason


def _fitted(config: Config, splits: DataSplits) -> Config:
    """With ``fit_batch``: batches of no more classes than there are, and what validation came to."""
    if not config.fit_batch:
        return config
    changes: dict[str, Any] = {} if splits.val is not None else {"val_fraction": 0.0}
    if config.batches_by_class:
        most = len(splits.train.class_names) * config.images_per_class
        changes["batch_size"] = min(config.batch_size, most)
        if config.images_per_pass is not None:
            changes["images_per_pass"] = min(config.images_per_pass, changes["batch_size"])
    return config.changed(**changes)


def _absolute_paths(config: Config) -> dict[str, Any]:
    """Paths as any working directory understands them, so that a run can be resumed from another one."""
    paths = {name: getattr(config, name) for name in ("data_root", "query_csv", "data_cache")}
    absolute: dict[str, Any] = {name: path.resolve() for name, path in paths.items() if path is not None}
    if config.backbone_weights not in ("pretrained", "random"):
        absolute["backbone_weights"] = str(Path(config.backbone_weights).expanduser().resolve())
    if config.side_weights not in ("pretrained", "random"):
        absolute["side_weights"] = str(Path(config.side_weights).expanduser().resolve())
    return absolute


def _crop_min(images: ImageSet) -> float:
    """The usual 0.08, except where a small part of an image is not its class any more, as with glyphs."""
    return 0.08 if images.mirror_ok else 0.5
