"""Which settings can stand together: what each field alone cannot know, by theme.

:class:`~vptsp.settings.config.Config` asks when it is made; pydantic hands its user the sentence of the ValueError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vptsp.core.losses import LOSSES
from vptsp.core.losses.catalogue import PREFIX
from vptsp.core.prompts.shares import number_pruned
from vptsp.core.proxies import ACCUMULATORS
from vptsp.settings.methods import METHODS
from vptsp.text import meant

if TYPE_CHECKING:
    from vptsp.settings.config import Config

_GUIDED = (
    "prompt_norm",
    "prompt_spread",
    "pool_prompts",
    "num_guided_prompts",
    "guided_blocks",
    "guided_patch_weight",
    "guided_cls_weight",
    "guided_loss",
    "guided_ratio",
    "guided_patch",
    "guided_sees",
    "guided_cls",
    "class_mapping",
    "mapping_norm",
    "mapping_images",
    "mapping_feature",
    "remap_from",
    "unseen_classes",
)  # settings of guided prompts
_KEY_VALUES = ("num_key_value_prompts", "key_value_depth", "key_value_from", "key_value_shared")
_PRUNED = ("pruned_tokens", "pruned_segments", "prompt_segments", "prune_after")
_DRAWN_BY_IMAGE = ("drop_path", "feature_noise")
_ALIKE = ("prompt_location", "prompt_depth", "prompt_from", "prompt_shared", "prompt_projection", "prompt_step")


def require_agreement(config: Config) -> None:
    """Raise ValueError, whose sentence names them, for settings that cannot stand together."""
    for name, legal in (("method", METHODS), ("semantic_unit", ("method", *ACCUMULATORS))):
        given = getattr(config, name)
        if given not in legal:
            raise ValueError(f"{name}={given!r} is not known; legal: {', '.join(legal)}{meant(given, legal)}")
    _loss_agrees(config)
    method = METHODS[config.method]
    if config.task == "recognition":
        _recognition_agrees(config)
    elif config.batches == "shuffled":
        raise ValueError("batches='shuffled' is for task=recognition; retrieval compares images of several classes")
    if not config.batches_by_class:
        pass  # batches of any images
    elif config.batch_size % config.images_per_class:
        raise ValueError(
            f"images_per_class={config.images_per_class} does not divide batch_size={config.batch_size}; "
            "choose a batch_size that is a multiple of images_per_class"
        )
    elif config.batch_size == config.images_per_class:
        raise ValueError(
            f"batch_size={config.batch_size} with images_per_class={config.images_per_class} puts a single class "
            "into each batch; a proxy loss needs at least two, so make batch_size larger"
        )
    shortest = min(config.trainings)
    if config.head_epochs and config.head_epochs >= shortest > 0:
        raise ValueError(
            f"head_epochs={config.head_epochs} leaves none of {shortest} epochs for what is in the transformer; "
            "make it smaller than epochs, or train the head alone with method=linear"
        )
    if config.mirror and config.augment == "resize":
        raise ValueError(
            "mirror=True mirrors what a random part is taken of, and augment='resize' takes whole images as they are; "
            "leave it out, or choose augment=crop or resized_crop"
        )
    if config.bitfit and not method.trains:
        raise ValueError(f"bitfit=True contradicts method={config.method!r}, which trains nothing; drop one of them")
    if config.task not in method.tasks:
        others = [name for name, other in METHODS.items() if other.guided and config.task in other.tasks]
        raise ValueError(
            f"method={config.method!r} is for task={' or '.join(method.tasks)}, not {config.task}; use that task, or "
            f"method={' or '.join(others)}"
        )
    _prompts_agree(config)
    _guidance_agrees(config)
    _pruning_agrees(config)
    _memory_agrees(config)
    _devices_agree(config)
    if method.prompts != "none" and not method.guided and not config.num_prompts and config.prompt_location != "add":
        raise ValueError(f"method={config.method!r} needs num_prompts >= 1; for no shared prompts use linear or bias")
    if config.unit_init == "mean" and not 0 < config.ema_keep < 1:
        raise ValueError(
            f"ema_keep={config.ema_keep} with unit_init='mean' shuts the GRU's gate for good; choose one between 0 "
            "and 1, or unit_init=random"
        )
    if 1 not in config.recall_ks:
        raise ValueError(f"recall_ks={config.recall_ks} must hold 1: recall at 1 is what results are named by")
    if config.precision == "fp16" and config.device == "cpu":
        raise ValueError("precision='fp16' needs a GPU; on device='cpu' use bf16 or fp32")


def _loss_agrees(config: Config) -> None:
    library, fields = config.loss.startswith(PREFIX), type(config).model_fields
    if not library and config.loss not in LOSSES:
        raise ValueError(
            f"loss={config.loss!r} is not known; legal: {', '.join(LOSSES)}, or {PREFIX}NAME, a loss of "
            f"pytorch-metric-learning{meant(config.loss, LOSSES)}"
        )
    if config.miner is None and config.miner_args:
        raise ValueError(f"miner_args={config.miner_args!r} are of a miner; name it with miner={PREFIX}NAME")
    if config.task != "retrieval":
        return
    if library:
        changed = [name for name in ("loss_scale", "loss_margin") if getattr(config, name) != fields[name].default]
        if changed:
            raise ValueError(
                f"{changed[0]}={getattr(config, changed[0])!r} is for losses of this package; loss={config.loss!r} "
                "takes its own arguments, as loss_args.NAME=VALUE"
            )
        if config.loss_proxies != "all":
            raise ValueError(
                f"loss_proxies={config.loss_proxies!r} is for losses of this package; loss={config.loss!r} knows all "
                "classes, so use loss_proxies=all"
            )
        return
    config.require_needs(LOSSES.needs(config.loss))


def _recognition_agrees(config: Config) -> None:
    if not METHODS[config.method].trains:
        raise ValueError(f"method={config.method!r} trains nothing, so it learns no classifier; use method=linear")
    of_losses = [name for name in ("miner", "loss_args", "loss_memory", "anti_collapse") if getattr(config, name)]
    if of_losses:
        raise ValueError(f"{of_losses[0]} is for task=retrieval; recognition trains by cross-entropy")
    if "loss" in config.model_fields_set and config.loss != "proxy_anchor":
        raise ValueError(f"loss={config.loss!r} is for task=retrieval; recognition trains by cross-entropy")
    if config.query_pattern is not None or config.query_csv is not None:
        raise ValueError("query_pattern and query_csv are for task=retrieval; recognition has no queries")
    if config.proxies == "sharded":
        raise ValueError("proxies='sharded' is for the losses of task=retrieval; recognition needs proxies=whole")


def _prompts_agree(config: Config) -> None:
    method, where = METHODS[config.method], config.prompt_location
    if config.prompt_dynamics != "none" and (method.prompts != "deep" or where != "prepend" or config.prompt_shared):
        deep = [name for name, other in METHODS.items() if other.prompts == "deep"]
        raise ValueError(
            f"prompt_dynamics={config.prompt_dynamics!r} is for prompts of several blocks that enter as tokens; use "
            f"method={' or '.join(deep)} with prompt_location=prepend and prompt_shared=false"
        )
    if method.prompts == "none":
        return
    if where in ("prepend_pixel", "concat_channel", "pad") and method.prompts == "deep":
        raise ValueError(
            f"prompt_location={where!r} changes the image, so it has no deep form; use method=vpt_shallow, or "
            f"prompt_location=prepend or add with method={config.method!r}"
        )
    changed = [n for n in ("prompt_shared", "prompt_projection", "prompt_dropout") if getattr(config, n)]
    if where != "prepend" and changed:
        raise ValueError(f"{changed[0]} is for prompt_location=prepend, not {where!r}")
    if config.prompt_shared and config.prompt_step:
        raise ValueError(f"prompt_shared=True needs prompt_step=0, not {config.prompt_step}: one set has one size")


def _guidance_agrees(config: Config) -> None:
    method, fields = METHODS[config.method], type(config).model_fields
    if config.tuned_parts and method.tunes != "none":
        raise ValueError(f"tuned_parts are for a backbone that is frozen; method={config.method!r} trains its weights")
    if config.tuned_parts and method.lora:
        raise ValueError(f"tuned_parts are for a backbone as it is; method={config.method!r} puts layers into it")
    if not method.guided:
        changed = [name for name in _GUIDED if getattr(config, name) != fields[name].default]
        if changed:
            guided = [name for name, other in METHODS.items() if other.guided]
            raise ValueError(
                f"{changed[0]} is for methods with guided prompts, not for {config.method!r}; use method="
                f"{' or '.join(guided)}, or drop {changed[0]}"
            )
        return
    changed = [name for name in _ALIKE if getattr(config, name) != fields[name].default]
    if changed:
        raise ValueError(
            f"{changed[0]} is for methods whose prompts are all alike; method={config.method!r} has "
            "num_guided_prompts in each of guided_blocks and num_prompts in every other block"
        )
    if config.guided_blocks and config.guided_blocks[0] > config.guided_blocks[1]:
        first, last = config.guided_blocks
        raise ValueError(f"guided_blocks={first},{last} ends before it begins; write {last},{first}")
    if config.pool_prompts != "none" and config.pooling in ("auto", "cls"):
        raise ValueError(f"pool_prompts={config.pool_prompts!r} needs pooling=mean, not {config.pooling!r}")


def _pruning_agrees(config: Config) -> None:
    method, fields = METHODS[config.method], type(config).model_fields
    for has, names in ((method.key_values, _KEY_VALUES), (method.pruned, _PRUNED)):
        changed = [name for name in names if getattr(config, name) != fields[name].default]
        if changed and not has:
            part = "key_values" if names is _KEY_VALUES else "pruned"
            others = [name for name, other in METHODS.items() if getattr(other, part)]
            raise ValueError(
                f"{changed[0]} is for method={' or '.join(others)}, not for {config.method!r}; use that method, or "
                f"drop {changed[0]}"
            )
    if (method.key_values or method.pruned) and config.prompt_location != "prepend":
        raise ValueError(
            f"prompt_location={config.prompt_location!r} has no tokens to prune and no keys; method={config.method!r} "
            "takes prompt_location=prepend"
        )
    if not method.pruned or not (config.pruned_tokens or config.pruned_segments):
        return
    if config.prompt_dynamics != "none":
        raise ValueError(
            f"prompt_dynamics={config.prompt_dynamics!r} follows each prompt from block to block, and "
            f"method={config.method!r} prunes others in each; use prompt_dynamics=none, or pruned_tokens=0 and "
            "pruned_segments=0"
        )
    left = config.num_prompts - number_pruned(config.pruned_tokens, config.num_prompts)
    for name, number in (("pruned_tokens", config.num_prompts), ("pruned_segments", left * config.prompt_segments)):
        share = getattr(config, name)
        if share and number and not number_pruned(share, number):
            what = "num_prompts" if name == "pruned_tokens" else "the segments left"
            legal = f"{1 / number:.3g} or more" if number > 1 else "or more num_prompts"
            raise ValueError(
                f"{name}={share:g} of {what}={number} is less than one, so none would be pruned; legal: 0, {legal}"
            )
    if config.epochs == 1:
        raise ValueError(
            f"method={config.method!r} trains, prunes and trains anew, and epochs=1 is too few for both; legal: 2 or "
            "more, or pruned_tokens=0 and pruned_segments=0"
        )
    if config.prune_after is not None and 0 < config.epochs <= config.prune_after:
        raise ValueError(
            f"prune_after={config.prune_after} of epochs={config.epochs} leaves none to train anew; legal: 1 to "
            f"{config.epochs - 1}"
        )


def _memory_agrees(config: Config) -> None:
    if config.class_prompts_on != "device" and config.class_prompt_updates != "rows":
        raise ValueError(
            f"class_prompts_on={config.class_prompts_on!r} keeps all rows but the batch's out of every step; say so "
            "with class_prompt_updates=rows, or use class_prompts_on=device"
        )
    if config.images_per_pass is None:
        return
    if config.images_per_pass > config.batch_size:
        raise ValueError(
            f"images_per_pass={config.images_per_pass} is more than batch_size={config.batch_size}; legal: 1 to "
            f"{config.batch_size}, or none for all at once"
        )
    for name in _DRAWN_BY_IMAGE:
        if getattr(config, name):
            raise ValueError(
                f"{name}={getattr(config, name):g} is drawn for each image of a whole batch, so its gradients cannot "
                f"be had in parts; drop images_per_pass, or use {name}=0"
            )
    if METHODS[config.method].mlp:
        raise ValueError(
            f"method={config.method!r} normalises over the whole batch (BatchNorm), so its gradients cannot be had "
            "in parts; drop images_per_pass"
        )


def _devices_agree(config: Config) -> None:
    if config.processes == 1:
        return
    if config.batch_size < config.processes:
        raise ValueError(
            f"batch_size={config.batch_size} leaves some of {config.processes} processes without an image; legal: "
            f"{config.processes} or more, or fewer devices"
        )
    for name in _DRAWN_BY_IMAGE:
        if getattr(config, name):
            raise ValueError(
                f"{name}={getattr(config, name):g} is drawn for each image of a whole batch, so several devices would "
                f"draw others than one; use devices=1, or {name}=0"
            )
    if config.prompt_dynamics != "none":
        raise ValueError(
            f"prompt_dynamics={config.prompt_dynamics!r} has only been shown to train alike on one device; use "
            "devices=1, or prompt_dynamics=none"
        )
    if METHODS[config.method].mlp:
        raise ValueError(
            f"method={config.method!r} normalises over the whole batch (BatchNorm), so several devices would give "
            "other numbers than one; use devices=1"
        )
