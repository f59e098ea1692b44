"""One validated configuration for everything the workbench does.

Names are flat, so that papermill and the command line can pass them as they are. Unknown keys, wrong
types and impossible values are refused with the field, the value given and what would be legal.
Where the published code differs from its paper, the difference is a field here (``positive_mean``,
``class_prompt_init``, ``store_dropped_state``, ``cosine_length``), never a habit hidden in code.
"""

from __future__ import annotations

import ast
import difflib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    PositiveFloat,
    ValidationError,
    model_validator,
)

from vptsp.core.backbones import BUNDLED_BACKBONE, Part
from vptsp.core.losses import LOSSES
from vptsp.core.losses.catalogue import Needs
from vptsp.errors import ConfigError
from vptsp.settings.agreement import require_agreement
from vptsp.settings.methods import METHODS
from vptsp.settings.presets import read_preset
from vptsp.settings.tasks import TASKS

Positive = Annotated[int, Field(ge=1)]
Side = Annotated[int, Field(ge=16)]
_TABLES = ("loss_args", "miner_args")  # settings that are tables of arguments
_COMPARED = {"pairs": "each other", "classes": "weights of its own"}
LoraTargets = tuple[Literal["qkv", "proj", "fc1", "fc2"], ...]


def _place(value: Any) -> Any:
    """A path with ``~`` as the home directory; anything but text and paths is pydantic's to refuse."""
    if not isinstance(value, str | os.PathLike):
        return value
    text = os.fspath(value)
    if not text:
        raise ValueError("it is empty; give a path, or none")
    return Path(os.path.expanduser(text))


OptionalPath = Annotated[Path | None, Field(strict=False), BeforeValidator(_place)]


class Config(BaseModel):
    """Settings of one run. Build it with :func:`make_config`, which explains what it refuses."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    task: Literal["retrieval", "recognition"] = Field(
        "retrieval", description="retrieval: unseen classes, nearest neighbours; recognition: closed set, a classifier"
    )

    # --- data ---------------------------------------------------------------------------------
    dataset: str = Field("blossoms", description="name of a data set; vptsp data list shows them all")
    data_root: OptionalPath = Field(None, description="folder (or table) of the data set, for sets that live on disk")
    image_size: Side | Annotated[tuple[Side, Side], Field(strict=False)] | None = Field(
        None, description="input side in pixels, or height,width; none: the backbone's own"
    )
    val_fraction: float = Field(0.2, ge=0, lt=1, description="share of the train classes held out for selection")
    test_fraction: float = Field(
        0.3, gt=0, lt=1, description="dataset=photos: share kept back for the test, of classes (recognition: of images)"
    )
    query_pattern: str | None = Field(None, description="file-name pattern of test queries; the rest is gallery")
    query_csv: OptionalPath = Field(None, description="CSV with path,is_query,is_gallery for the test images")
    skip_bad: bool = Field(False, description="leave unreadable images out and list them, instead of stopping")
    crop_min: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None,
        description="smallest area share of the random training crop; none: by augment_fit, else 0.08, or 0.5 for "
        "glyphs",
    )
    mirror: bool | None = Field(
        None, description="mirror half of the training images; none: by augment_fit, else yes, but for glyphs"
    )
    augment_fit: Literal["images", "none"] = Field(
        "images",
        description="retrieval: what crop_min and mirror leave open is as far as training images are still found among "
        "their class; a run that has begun says none, beside what was found",
    )
    hub_name: str | None = Field(None, description="data set of the Hugging Face hub, for dataset=hub")
    label_column: str | None = Field(
        None,
        description="which column of a table or hub set, or key of the JSON in shards, is the label; none: label, "
        "fine_label, class or target",
    )
    data_cache: OptionalPath = Field(None, description="cache of decoded images made by vptsp data prepare")
    augment: Literal["resized_crop", "crop", "resize"] = Field(
        "resized_crop",
        description="training images: random part of random size, random part (both mirrored where they may be), or "
        "whole",
    )
    batches: Literal["auto", "shuffled", "classes"] = Field(
        "auto",
        description="recognition: shuffled images, or classes x images_per_class; auto: shuffled. Retrieval: classes",
    )
    blossoms_classes: Annotated[int, Field(ge=4)] = Field(200, description="classes of blossoms, train and test")
    blossoms_images: Positive = Field(20, description="images per class of blossoms")
    num_workers: Annotated[int, Field(ge=0)] = Field(0, description="processes that load images; 0: none")

    # --- model --------------------------------------------------------------------------------
    backbone: str = Field(
        BUNDLED_BACKBONE, description="any image model of timm by name (vptsp backbones lists them), or the bundled one"
    )
    backbone_weights: str = Field("pretrained", description="pretrained, random, or the path of a weight file")
    pooling: Literal["auto", "cls", "mean"] = Field("auto", description="feature of an image; auto: the backbone's own")
    embedding_size: Positive = Field(384, description="E, size of the embedding")
    method: str = Field("vptsp_g", description="tuning method, one of vptsp.settings.methods.METHODS")
    bitfit: bool | None = Field(None, description="train the backbone's biases; none: as the method does")
    num_prompts: Annotated[int, Field(ge=0)] = Field(
        10, description="N, shared visual prompts in the first block; channels or pixels in the locations that use them"
    )
    prompt_location: Literal["prepend", "add", "prepend_pixel", "concat_channel", "pad"] = Field(
        "prepend", description="where shared prompts enter: tokens, sums, a strip of pixels, channels, or a frame"
    )
    prompt_depth: Positive | None = Field(None, description="blocks that get shared prompts; none: all")
    prompt_from: Literal["bottom", "top"] = Field("bottom", description="which end prompt_depth counts from")
    prompt_shared: bool = Field(False, description="one set of prompts for all blocks that get prompts")
    prompt_projection: Positive | None = Field(
        None, description="width of prompts before a learned projection to D; none: prompts of width D"
    )
    prompt_dropout: float = Field(0.0, ge=0, lt=1, description="dropout on shared prompts")
    prompt_step: Annotated[int, Field(ge=0)] = Field(0, description="shared prompts fewer with each block")
    prompt_norm: Literal["none", "l2", "layer"] = Field(
        "none", description="guided methods: prompts as they are, of unit length, or through a trained LayerNorm"
    )
    prompt_spread: float = Field(1.0, gt=0, description="guided methods: factor of the prompts' spread at start")
    pool_prompts: Literal["none", "see_all", "see_image"] = Field(
        "none",
        description="guided methods, mean pooling: pool the last block's prompts too, whose own queries see all or the "
        "image alone",
    )
    prompt_dynamics: Literal["none", "linear"] = Field(
        "none",
        description="deep prompts of each block as they are, or following the block before by one linear map (PAE)",
    )
    dynamics_size: Positive = Field(256, description="numbers that prompt dynamics lift a prompt to")
    dynamics_weight: float = Field(0.5, ge=0, description="weight of the squared deviation from that linear map")
    stability_weight: float = Field(0.2, ge=0, description="weight of what a prompt's energy grows by on the way")
    num_key_value_prompts: Positive = Field(
        5, description="e2vpt: learned keys and values beside those of the tokens, in each block that gets some"
    )
    key_value_depth: Positive | None = Field(
        None, description="e2vpt: blocks that get learned keys and values; none: all"
    )
    key_value_from: Literal["bottom", "top"] = Field(
        "bottom", description="e2vpt: which end key_value_depth counts from"
    )
    key_value_shared: bool = Field(True, description="e2vpt: one matrix of a block is both its keys and its values")
    pruned_tokens: float = Field(
        0.5, ge=0, lt=1, description="e2vpt: share of each block's prompts that is pruned, the least important"
    )
    pruned_segments: float = Field(
        0.3, ge=0, lt=1, description="e2vpt: share of the segments of the prompts left in a block that is pruned"
    )
    prompt_segments: Positive = Field(8, description="e2vpt: equal segments of a prompt, a divisor of its width")
    prune_after: Positive | None = Field(
        None, description="e2vpt: epochs before it prunes and trains anew for those left; none: half of them"
    )
    num_class_prompts: Positive = Field(3, description="prompts per class in the first block")
    class_prompt_depth: Positive | None = Field(None, description="blocks that get class prompts; none: all")
    class_prompt_step: Annotated[int, Field(ge=0)] = Field(0, description="class prompts fewer with each block")
    class_prompt_init: Literal["shared", "published"] = Field(
        "shared", description="spread at start: as the shared prompts, or the published one that shrinks with C"
    )

    class_prompt_updates: Literal["dense", "rows"] = Field(
        "dense", description="dense: every step moves all rows (Adam's momentum); rows: only those of the batch"
    )
    class_prompts_on: Literal["device", "host", "disk"] = Field(
        "device", description="where class prompts and their optimiser state live; host and disk need updates by rows"
    )

    # --- guided prompts -----------------------------------------------------------------------
    num_guided_prompts: Positive = Field(
        10, description="P, prompts of a guided block, each of a group of classes; other blocks have num_prompts"
    )
    guided_blocks: Annotated[tuple[Positive, Positive], Field(strict=False)] | None = Field(
        None, description="first and last guided block, from 1, as 11,12; none: the last two"
    )
    guided_patch_weight: float = Field(0.05, ge=0, description="weight of the guided loss of an image's patches")
    guided_cls_weight: float = Field(0.05, ge=0, description="weight of the guided loss of an image's CLS")
    guided_loss: Literal["proxy_anchor", "image_anchor"] = Field(
        "proxy_anchor", description="form of the guided loss; image_anchor is what the published code calls nca"
    )
    guided_ratio: float = Field(5.0, ge=0, description="factor of the cosines in the guided loss, whose scale is 32")
    guided_patch: Literal["patch_mean", "prompt_output"] = Field(
        "patch_mean",
        description="an image's patches in the guided loss: their mean (what DA-VPT's code does), or what attention "
        "gives at the prompt of its class (what its options say)",
    )
    guided_sees: Literal["see_all", "see_image"] = Field(
        "see_all", description="what the query of that prompt sees, with guided_patch=prompt_output"
    )
    guided_cls: Literal["query", "key", "cls"] = Field(
        "query", description="an image's CLS in the guided loss: its query or key in the block, or the token"
    )
    class_mapping: Literal["kmeans", "balanced", "identity"] = Field(
        "kmeans", description="which prompt a class is of: k-means over class means, class mod P, or its own one"
    )
    mapping_norm: Literal["none", "l2", "layer"] = Field(
        "layer", description="class means in k-means: as they are, of unit length, or of mean 0 and variance 1"
    )
    mapping_images: Positive | Literal["all"] = Field(
        10,
        description="augmented training images per class for the first mapping; all: as a test sees them",
    )
    mapping_feature: Literal["published", "pooled"] = Field(
        "published",
        description="their feature under mean pooling: normed after the mean, as in DA-VPT's code, or as it is pooled",
    )
    remap_from: Annotated[int, Field(ge=0)] = Field(
        1, description="epochs before classes are mapped anew after each epoch; 0: never"
    )
    unseen_classes: Literal["random", "keep"] = Field(
        "keep", description="classes of which an epoch saw no image: the prompt they have, or a random one (published)"
    )

    # --- tuning single parts ------------------------------------------------------------------
    tuned_parts: Annotated[tuple[Part, ...], Field(strict=False)] | None = Field(
        None, description="single parts of the backbone that train, as v_bias,norm1; none: as the method does"
    )
    drop_path: float = Field(0.0, ge=0, lt=1, description="stochastic depth: rate in the last block, rising from 0")

    # --- tuning without prompts ---------------------------------------------------------------
    partial_blocks: Positive = Field(1, description="k of partial: last blocks that train")
    mlp_layers: Positive = Field(3, description="k of mlp: hidden layers before the head")
    side_weights: str = Field("pretrained", description="side's AlexNet: pretrained, random, or a weight file's path")
    adapter_size: Positive | None = Field(None, description="bottleneck of adapters; none: D // 8")
    adapter_depth: Positive | None = Field(None, description="blocks that get adapters, from the first; none: all")
    adapter_place: Literal["sequential", "parallel"] = Field(
        "sequential", description="adapters see the MLP's output (VPT, Houlsby) or its input (AdaptFormer)"
    )
    adapter_norm: Literal["none", "pre", "post"] = Field("none", description="LayerNorm before or after adapters")
    lora_rank: Positive = Field(8, description="rank of LoRA's updates")
    lora_alpha: Positive = Field(16, description="LoRA's scale is lora_alpha / lora_rank")
    lora_targets: Annotated[tuple[Literal["qkv", "proj", "fc1", "fc2"], ...], Field(strict=False, min_length=1)] = (
        Field(("qkv",), description="linear layers of every block that LoRA updates")
    )

    # --- start ---------------------------------------------------------------------------------
    head_input: Literal["as_is", "whitened"] = Field(
        "whitened",
        description="retrieval: features that the head sees: as the backbone gives them, or through a fixed map that "
        "divides them by the variation within classes at start",
    )
    head_init: Literal["auto", "random", "isometric", "whitened"] = Field(
        "auto",
        description="head at start: random, what it sees with its angles, or that divided by the variation within "
        "classes; auto: isometric in retrieval, random in recognition",
    )
    head_shrinkage: float | None = Field(
        None,
        gt=0,
        description="of a whitened head or input: share of variation alike everywhere; none: by the number of images",
    )
    proxy_init: Literal["random", "class_means"] = Field(
        "random", description="learned and semantic proxies at start: random, or the class means of the embedding"
    )
    unit_init: Literal["random", "mean"] = Field(
        "random", description="GRU at start: random weights, or the moving average with ema_keep"
    )

    # --- semantic proxies ---------------------------------------------------------------------
    proxy_length: Literal["free", "unit"] = Field(
        "free", description="learned proxies in the fusion: as they grow, or of unit length, so that alpha is the share"
    )
    alpha: float = Field(
        0.5, ge=0, le=1, description="share of the learned proxy in the fused one, after the head's epochs"
    )
    ema_keep: float = Field(0.8, ge=0, le=1, description="rho, what the moving average keeps of the container")
    semantic_source: Literal["class_prompts", "encoder", "encoder_no_grad", "samples"] = Field(
        "class_prompts",
        description="what is accumulated: features by class prompts, of the sample tower's encoder "
        "with or without gradient, or the sample embeddings (VPTSP Table 5)",
    )
    semantic_unit: str = Field(
        "method", description="what accumulates: the method's own unit, or another one (VPTSP Table 7)"
    )
    gru_activation: Literal["relu", "tanh"] = Field("relu", description="candidate activation of the GRU")
    gru_dropout: float = Field(0.0, ge=0, lt=1, description="dropout on the GRU's output")
    store_dropped_state: bool = Field(False, description="published: keep the dropped-out GRU state in the container")

    # --- loss ---------------------------------------------------------------------------------
    loss: str = Field(
        "proxy_anchor",
        description=f"loss of retrieval: {', '.join(LOSSES)} (image_anchor is what the published code calls nca), or "
        "pml:NAME of pytorch-metric-learning. Recognition: cross-entropy",
    )
    loss_args: dict[str, JsonValue] = Field(
        {}, description="arguments of the loss by name, as a table: loss_args.alpha=2, or [loss_args] in a file"
    )
    miner: str | None = Field(
        None, description="what picks the pairs of a pml: loss: pml:NAME, any miner of that library; none: all pairs"
    )
    miner_args: dict[str, JsonValue] = Field({}, description="arguments of the miner by name, as a table")
    loss_memory: Annotated[int, Field(ge=0)] = Field(
        0, description="cross-batch memory: embeddings of earlier batches that a loss of pairs compares with; 0: none"
    )
    loss_scale: float = Field(32.0, gt=0, description="scale of the similarities in the loss")
    loss_margin: float = Field(0.1, ge=0, description="margin of the anchor losses")
    positive_mean: Literal["present", "all"] = Field(
        "present", description="proxy anchor's positive term over classes present (paper) or all C (published code)"
    )
    loss_proxies: Literal["all", "batch"] = Field("all", description="proxies in the loss: all C or the batch's")

    proxies: Literal["whole", "sharded"] = Field(
        "whole", description="similarities in the loss: of all classes in every process, or divided by class among them"
    )

    # --- optimisation -------------------------------------------------------------------------
    epochs: Annotated[int, Field(ge=0)] = Field(12, description="passes of len(train)//B batches")
    head_epochs: Annotated[int, Field(ge=0)] | None = Field(
        None,
        description="first epochs, in which head and learned proxies train, nothing in the transformer and no semantic "
        "proxies; none: one of three or more in retrieval without a warm-up",
    )
    step_back: float = Field(
        0.1,
        gt=0,
        le=1,
        description="retrieval: after an epoch that held-out classes are found worse by, training goes back to the "
        "best one, and what is in the transformer trains at this share of its rate; 1: never (nor with class prompts "
        "by rows)",
    )
    batch_size: Positive = Field(64, description="B, images per step")
    images_per_class: Positive = Field(2, description="K, images per class in a batch")
    fit_batch: bool = Field(
        False, description="with few training classes: a smaller batch_size, and none held out, instead of stopping"
    )
    optimizer: Literal["sgd", "adam", "adamw"] = Field("adamw", description="type of both optimisers")
    lr: float = Field(
        0.015, gt=0, description="learning rate of everything but the learned proxies; not given, 0.005 in recognition"
    )
    bias_lr_factor: float = Field(
        2.0,
        gt=0,
        description="factor of lr for the backbone's biases, where they train beside frozen weights; not given, 1 in "
        "recognition",
    )
    lr_backbone: float = Field(1e-4, gt=0, description="learning rate of the backbone's own weights, where they train")
    lr_proxy: float = Field(5e-2, gt=0, description="learning rate of the learned proxies")
    momentum: float = Field(0.9, ge=0, lt=1, description="momentum of sgd")
    weight_decay: float = Field(1e-4, ge=0, description="weight decay of both optimisers")
    weight_decay_head: Annotated[float, Field(ge=0)] | None = Field(
        None, description="weight decay of a classifier's weights; none: weight_decay"
    )
    decay_vectors: bool = Field(True, description="weight decay also of biases and norms")
    cosine_length: Positive | None = Field(None, description="epochs of the cosine; none: all (published: often not)")
    warmup_epochs: Annotated[int, Field(ge=0)] = Field(
        0, description="epochs in which learning rates rise from 0, before the cosine (VPT: 10)"
    )
    schedule: Literal["epochs", "updates"] = Field(
        "epochs",
        description="a rate per epoch, or per step with a cosine that counts from the first (timm's, DA-VPT)",
    )
    warmup_lr: float = Field(0.0, ge=0, description="learning rate that the warm-up rises from")
    cosine_min: float = Field(1e-6, ge=0, description="learning rate at the end of the cosine")
    grad_clip: Annotated[float, Field(gt=0)] | None = Field(None, description="largest gradient norm; none: unlimited")
    grad_clip_each: Annotated[float, Field(gt=0)] | None = Field(
        None, description="largest size of each number of a gradient; none: unlimited"
    )
    weight_average: float = Field(
        0.0, ge=0, lt=1, description="weights that are judged and kept: a moving average that keeps this share a step"
    )
    feature_noise: float = Field(
        0.0, ge=0, description="noise on the features that the head sees in training, as a share of their length"
    )
    anti_collapse: float = Field(
        0.0,
        ge=0,
        description="weight of the coding rate of proxies (of embeddings, for losses without), which holds them apart",
    )

    images_per_pass: Positive | None = Field(
        None, description="images per forward pass, fewer than batch_size to save memory at equal gradients; none: all"
    )
    activation_checkpointing: bool = Field(False, description="compute activations again in backward, to save memory")

    # --- evaluation and record ----------------------------------------------------------------
    recall_ks: Annotated[tuple[Positive, ...], Field(strict=False, min_length=1)] = Field(
        (1, 2, 4, 8), description="the k of recall at k, 1 among them"
    )
    eval_every: Positive = Field(1, description="epochs between validations")
    select_by: Literal["recall_at_1", "map_at_r"] = Field(
        "map_at_r",
        description="validation metric that selects the epoch; recall_at_1 hardly differs where nearly all is found",
    )
    select_start: Literal["none", "start", "whitened"] = Field(
        "whitened",
        description="retrieval: an untrained model that can be selected too, as epoch 0: as the run starts, or with "
        "the feature divided by its variation within classes",
    )
    select_finish: Literal["none", "whitened"] = Field(
        "whitened",
        description="retrieval: a trained model that can be selected too: with its embedding divided by its variation "
        "within classes",
    )
    finish_shrinkages: Annotated[tuple[PositiveFloat, ...], Field(strict=False, min_length=1)] = Field(
        (0.1, 0.3, 1.0, 3.0),
        description="of that whitening: shares of variation alike everywhere, of which held-out classes choose one",
    )
    track_test: bool = Field(False, description="also score test each epoch, kept only as max_over_test_epochs")
    track_from: Positive = Field(1, description="first epoch that track_test scores; the last is always scored")
    probe_images: Annotated[int, Field(ge=0)] = Field(256, description="test images embedded into every snapshot")

    tracker: str | None = Field(
        None, description="also log to a tracker: tensorboard, csv, or the import path of a Fabric logger; none: no"
    )

    # --- machine ------------------------------------------------------------------------------
    seed: Annotated[int, Field(ge=0, lt=2**31)] = Field(0, description="seed of everything random")
    device: str = Field("auto", description="auto, cpu, cuda or cuda:1")
    devices: Positive = Field(1, description="devices of each machine, a process each; they share each batch")
    num_nodes: Positive = Field(1, description="machines with so many devices each; several need torchrun or srun")
    strategy: Literal["auto", "fork", "spawn"] = Field(
        "auto", description="how the processes of devices=N begin; auto: forked, or anew where CUDA is in use already"
    )
    patience: float = Field(1800.0, gt=0, description="seconds that the processes of a run wait for each other")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field("auto", description="bf16 where it is fast, else fp32")
    attention: Literal["auto", "fused", "matmul"] = Field("auto", description="attention kernel")
    compile: bool = Field(
        False, description="train with blocks compiled by torch.compile, which takes a minute or more at start"
    )

    @model_validator(mode="before")
    @classmethod
    def _rates_of_the_task(cls, given: Any) -> Any:
        """Recognition trains all from the first step, and undoes nothing that a large rate destroys."""
        if isinstance(given, dict) and given.get("task") == "recognition":
            return {"lr": 0.005, "bias_lr_factor": 1.0, **given}
        return given

    @model_validator(mode="after")
    def _fields_agree(self) -> Self:
        require_agreement(self)
        return self

    def require_needs(self, needs: Needs) -> None:
        """Refuse a loss that compares with what method and batches do not give. Raises :class:`ConfigError`."""
        if needs != "proxies" and METHODS[self.method].semantic != "none":
            raise ConfigError(
                f"loss={self.loss!r} compares images with {_COMPARED[needs]}, and method={self.method!r} is about "
                "semantic proxies, which it would leave out; use a loss of proxies such as proxy_anchor, or a method "
                "without them such as vpt_bias"
            )
        if needs == "pairs" and self.images_per_class < 2:
            raise ConfigError(
                f"loss={self.loss!r} compares images of a class with each other, and images_per_class=1 puts one of "
                "each into a batch; make images_per_class 2 or more"
            )

    @property
    def processes(self) -> int:
        """Processes of the run, on all machines: one for each device."""
        return self.devices * self.num_nodes

    @property
    def prunes_after(self) -> int | None:
        """Epochs after which prompts are pruned and everything trains anew; none where nothing is pruned."""
        if not METHODS[self.method].pruned or not (self.pruned_tokens or self.pruned_segments) or not self.epochs:
            return None
        return self.prune_after or self.epochs // 2

    @property
    def trainings(self) -> tuple[int, ...]:
        """Epochs of each training: of one, or of the two of a run that prunes and begins anew."""
        begins = self.prunes_after
        return (begins, self.epochs - begins) if begins else (self.epochs,)

    @property
    def batches_by_class(self) -> bool:
        """Whether a batch is made of classes, with images_per_class of each."""
        return self.task == "retrieval" or self.batches == "classes"

    @property
    def optimizer_slots(self) -> int:
        """Numbers that the optimiser remembers for each trained parameter."""
        return {"adam": 2, "adamw": 2, "sgd": int(self.momentum > 0)}[self.optimizer]

    @property
    def selection_metric(self) -> str:
        """The validation metric that selects the epoch."""
        return self.select_by if self.task == "retrieval" else TASKS[self.task].metric

    @property
    def whitens_input(self) -> bool:
        """Whether the head has a map before its linear layer."""
        return self.head_input == "whitened" and self.task == "retrieval"

    @property
    def head_start(self) -> str:
        """``head_init``, decided."""
        if self.head_init != "auto":
            return self.head_init
        return "isometric" if self.task == "retrieval" else "random"

    @property
    def steps_back(self) -> bool:
        """Whether an epoch that harms is undone."""
        return self.step_back < 1 and self.task == "retrieval"

    @property
    def fits_augmentation(self) -> list[str]:
        """Which settings are left to what the training images say of their augmentation."""
        if self.augment_fit != "images" or self.task != "retrieval":
            return []
        parts = ["crop_min"] * (self.crop_min is None and self.augment == "resized_crop")
        return parts + ["mirror"] * (self.mirror is None and self.augment != "resize")

    @property
    def selects_own_start(self) -> bool:
        """Whether the untrained model that can be selected is the run's own start, with its proxies."""
        return self.select_start == "start" or (self.select_start, self.head_init) == ("whitened", "whitened")

    def changed(self, **values: Any) -> Config:
        """A copy with some fields changed, validated again."""
        return make_config(values, base=self)


def make_config(*layers: Mapping[str, Any], preset: str | None = None, base: Config | None = None) -> Config:
    """Merge a preset (or another configuration) and dictionaries, later ones winning, into a :class:`Config`.

    Raises :class:`ConfigError` that names each offending field, the value and what would be legal.
    """
    values: dict[str, Any] = dict(base.model_dump(exclude_unset=True)) if base else {}
    if preset is not None:
        values.update(read_preset(preset))
    for layer in layers:
        for name, value in layer.items():
            table, _, key = name.partition(".")  # loss_args.alpha: one entry of a table, whose others stay
            given = _spelt(name, _plain(value))
            values.update(
                {table: {**(values.get(table) or {}), key: given}} if table in _TABLES and key else {name: given}
            )
    try:
        return Config(**values)
    except ValidationError as error:
        first = {item["loc"][:1]: item for item in reversed(error.errors())}  # what else may stand there says no more
        raise ConfigError("\n".join(_explain(values, item) for item in reversed(first.values()))) from None


def _spelt(name: str, value: Any) -> Any:
    """``none`` as a choice of its own, where a setting has it: typed, the word is read as Python's None."""
    field = Config.model_fields.get(name)
    return "none" if value is None and field is not None and "none" in get_args(field.annotation) else value


def _plain(value: Any) -> Any:
    """Numbers and arrays of numpy, also in lists, as Python's own."""
    if isinstance(value, list | tuple):
        return type(value)(map(_plain, value))
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return value.tolist() if hasattr(value, "tolist") else value


def parse_assignments(words: Iterable[str]) -> dict[str, Any]:
    """``["lr=1e-3", "method=linear"]`` -> values as Python literals, anything else as text."""
    values: dict[str, Any] = {}
    for word in words:
        key, sign, text = word.partition("=")
        table, _, entry = key.partition(".")
        if not sign or not (entry if table in _TABLES and entry else key).isidentifier():
            raise ConfigError(f"{word!r} is not a setting; write key=value, for example lr=0.001")
        values[key] = _literal(text)
        if isinstance(values[key], int | float) and _is_text(key):
            raise ConfigError(f"{key}={text}: {_not_text(key, text)}")
    return values


def _is_text(name: str) -> bool:
    """Whether a setting is a text or a path, and nothing else but none."""
    kind = Config.model_fields[name].annotation if name in Config.model_fields else None
    return bool({str, Path} & {kind, *get_args(kind)})


def _not_text(name: str, written: object) -> str:
    """How a number or a truth value is written where text is meant; ``written`` as its user wrote it."""
    return (
        f"it is not text; as text it is written '{written}' in Python and {name}='\"{written}\"' in a shell "
        f"({name}: {Config.model_fields[name].description})"
    )


def _literal(text: str) -> Any:
    if text == "none":
        return None
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text)
        except (ValueError, SyntaxError):
            continue
    return text


def _explain(values: Mapping[str, Any], item: Any) -> str:
    """One pydantic complaint as a sentence a user can act on."""
    if not item["loc"]:
        return str(item["msg"]).removeprefix("Value error, ")
    name = str(item["loc"][0])
    if item["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name, Config.model_fields, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"legal: {', '.join(Config.model_fields)}"
        return f"{name} is not a setting; {hint}"
    what = Config.model_fields[name].description
    value, message = values.get(name), str(item["msg"]).removeprefix("Value error, ")
    if isinstance(value, int | float) and item["type"] in ("string_type", "path_type"):
        return f"{name}={value!r}: {_not_text(name, value)}"
    return f"{name}={value!r}: {message[0].lower()}{message[1:]} ({name}: {what})"
