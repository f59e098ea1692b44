"""What VPT's published configuration files say, and what each of their keys became here.

The presets of VPT's five FGVC sets carry the keys of ``configs/prompt/<set>.yaml`` and of its base in a table
``[published]``, as :mod:`vptsp.settings.published` describes for VPTSP. Source: the code published with arXiv
2203.12119.

What still differs is said in :data:`STILL_DIFFERS`.
"""

from __future__ import annotations

from vptsp.settings.published import Setting

STILL_DIFFERS = (
    "that code normalises every backbone's images by ImageNet's mean and deviation and resizes them bilinearly, here "
    "they are the backbone's own and bicubic",
    "that code does not decay the classifier's bias",
)  # under the same settings
_SETS = {
    "CUB": "fgvc_cub",
    "nabirds": "fgvc_nabirds",
    "OxfordFlowers": "fgvc_flowers",
    "StanfordDogs": "fgvc_dogs",
    "StanfordCars": "fgvc_cars",
}

BECAME: dict[str, Setting] = {
    "DATA.NAME": Setting("dataset", "CUB", _SETS.__getitem__),
    "DATA.BATCH_SIZE": Setting("batch_size", 32),
    "MODEL.PROMPT.NUM_TOKENS": Setting("num_prompts", 5),
    "MODEL.PROMPT.DROPOUT": Setting("prompt_dropout", 0.0),
    "SOLVER.OPTIMIZER": Setting("optimizer", "sgd"),
    "SOLVER.MOMENTUM": Setting("momentum", 0.9),
    "SOLVER.BASE_LR": Setting("lr", 0.01),  # as it is: only the tuning scripts scale it by batch / 256
    "SOLVER.WEIGHT_DECAY": Setting("weight_decay", 1e-4),
    "SOLVER.WARMUP_EPOCH": Setting("warmup_epochs", 5),
    "SOLVER.TOTAL_EPOCH": Setting("epochs", 30),
}
"""Published key -> setting."""

IGNORED: dict[str, str] = {
    "DATA.FEATURE": "the paper's backbone is sup_vitb16_imagenet21k, which its commands put in this one's place",
    "DATA.NUMBER_CLASSES": "counted in the data",
    "DATA.MULTILABEL": "no published file uses it",
    "DATA.DATAPATH": "data_root, which each user gives",
    "MODEL.TRANSFER_TYPE": "the method: vpt_shallow, or vpt_deep where a command adds MODEL.PROMPT.DEEP",
    "MODEL.TYPE": "the backbone's name says it",
    "MODEL.LINEAR.MLP_SIZES": "empty: one linear classifier, as here",
    "NUM_GPUS": "a matter of the machine",
    "NUM_SHARDS": "a matter of the machine",
    "OUTPUT_DIR": "the run directory, which each user gives",
    "RUN_N_TIMES": "a run is one run here",
    "SOLVER.LOG_EVERY_N": "does not change the training",
    "SOLVER.LOSS": "cross-entropy, the loss of recognition",
    "SOLVER.PATIENCE": "longer than the training, so it never stops one",
    "SOLVER.SCHEDULER": "cosine is the only schedule of the published files and of this code",
}
"""Published key -> why it became nothing."""
