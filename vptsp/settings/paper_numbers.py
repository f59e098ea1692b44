"""Published numbers to stand beside one's own. Percent where they are recalls; nothing here was computed by this code.

VPTSP: "Learning Semantic Proxies from Visual Prompts for Parameter-Efficient Fine-Tuning in Deep Metric Learning",
ICLR 2024, arXiv 2402.02340v2. VPT: "Visual Prompt Tuning", ECCV 2022, arXiv 2203.12119. Neither the number of seeds
nor a spread is published for VPTSP, whose released code reports the best test epoch.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """One published table: ``rows`` under ``header``, and the ``note`` that belongs under it."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str


TABLE_1 = Published(
    "VPTSP, Table 1: CUB200, ViT-S/16 (IN-21k), 384-d",
    ("method", "trained", "share", "GPU memory", "R@1", "MAP@R"),
    (
        ("full fine-tuning", "30.2 M", "100 %", "6.0 G", "85.5", "51.1"),
        ("linear probe", "0.19 M", "0.63 %", "1.7 G", "84.9", "48.1"),
        ("BitFit", "0.26 M", "0.86 %", "4.4 G", "85.7", "51.3"),
        ("Adapter, 7 layers, size 256", "1.57 M", "5.2 %", "1.9 G", "83.1", "46.4"),
        ("Adapter + BitFit, 1 layer, size 256", "0.46 M", "1.52 %", "2.4 G", "85.8", "49.7"),
        ("VPT, 12 layers × 10", "0.23 M", "0.76 %", "2.2 G", "85.1", "51.2"),
        ("VPT + BitFit", "0.30 M", "0.99 %", "2.2 G", "85.7", "51.6"),
        ("VPTSP-M", "0.60 M", "1.9 %", "2.5 G", "85.4", "51.4"),
        ("VPTSP-M + BitFit", "0.67 M", "4.5 % (2.2 % by division)", "2.6 G", "85.9", "51.8"),
        ("VPTSP-G", "1.48 M", "4.9 %", "2.5 G", "86.1", "52.1"),
        ("VPTSP-G + BitFit", "1.56 M", "5.2 %", "2.6 G", "86.6", "52.7"),
    ),
    "As printed. Gradient checkpointing was used for the Adapter and VPT rows, a memory buffer for the VPTSP rows. "
    "The full model's 30.2 M hold an unused classifier of 8.4 M, and the VPTSP rows count only the class prompts of "
    "one batch.",
)

TABLE_4 = Published(
    "VPTSP, Table 4: components, ViT-S/16",
    ("setting", "CUB R@1", "CUB MAP@R", "Cars R@1", "Cars MAP@R"),
    (
        ("full fine-tuning", "85.5", "51.1", "86.7", "28.7"),
        ("VPT + bias", "85.7", "51.6", "86.3", "27.6"),
        ("moving average", "85.4", "51.4", "86.4", "28.3"),
        ("moving average + bias", "85.9", "51.8", "86.8", "28.7"),
        ("GRU", "86.1", "52.1", "87.1", "28.6"),
        ("GRU + bias", "86.6", "52.7", "87.7", "28.9"),
    ),
    "As printed.",
)

TABLE_5 = Published(
    "VPTSP, Table 5: where the semantic proxy comes from",
    ("source", "CUB R@1", "CUB MAP@R", "Cars R@1", "Cars MAP@R"),
    (
        ("sample embeddings", "85.7", "51.2", "86.2", "28.9"),
        ("same encoder, with gradient", "86.1", "51.5", "86.9", "28.4"),
        ("same encoder, without gradient", "85.4", "50.5", "86.4", "28.7"),
        ("class prompts", "86.6", "52.7", "87.7", "28.9"),
    ),
    "As printed.",
)

TABLE_7 = Published(
    "VPTSP, Table 7: the unit that accumulates, CUB",
    ("unit", "R@1", "MAP@R"),
    (
        ("LSTM", "85.1", "49.8"),
        ("plain RNN", "84.6", "49.2"),
        ("cross-attention", "82.2", "47.8"),
        ("GRU, tanh", "85.7", "51.4"),
        ("GRU, ReLU", "86.1", "52.1"),
    ),
    "As printed; its last row equals VPTSP-G without bias in Table 1.",
)

VPT_TABLE_1 = Published(
    "VPT, Table 1: ViT-B/16 (IN-21k), mean top-1",
    ("method", "FGVC (5)", "VTAB Natural (7)", "Specialized (4)", "Structured (8)"),
    (
        ("full fine-tuning", "88.54", "75.88", "83.36", "47.64"),
        ("linear probe", "79.32", "68.93", "77.16", "26.84"),
        ("VPT-shallow", "84.62", "76.81", "79.66", "46.98"),
        ("VPT-deep", "89.11", "78.48", "82.43", "54.98"),
    ),
    "Means over the tasks in brackets.",
)


@dataclass(frozen=True)
class Curve:
    """One panel of VPTSP's Figure 3: recall at 1 in percent over a setting, for each data set it shows."""

    axis: str
    x: tuple[float, ...]
    recall: dict[str, tuple[float, ...]]


READ_OFF = "paper, read off the plot"  # Figure 3 is published as a picture: half a point either way, some ticks unclear

FIGURE_3: dict[str, Curve] = {
    "parameters": Curve(
        "trained parameters in thousands",
        (500, 1500, 2000, 2750),  # the plot gives 0-1000 and 2500-3000 as flat parts: their middles
        {"CUB": (85.0, 85.5, 85.0, 84.5)},
    ),
    "batch_size": Curve(
        "batch size",
        (25, 50, 100, 150, 250),
        {"CUB": (85.7, 86.1, 86.0, 85.9, 85.3), "Cars": (85.7, 87.0, 87.5, 88.0, 87.4)},
    ),
    "embedding_size": Curve(
        "embedding size",
        (32, 128, 256, 384, 512, 1024),  # the first tick is printed as 324
        {"CUB": (77.0, 83.0, 85.5, 86.5, 86.0, 86.5), "Cars": (74.5, 85.0, 87.0, 87.5, 87.0, 87.0)},
    ),
    "alpha": Curve(
        "share α of the learned proxy",
        (0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
        {"CUB": (85.35, 86.35, 86.15, 86.75, 86.05, 85.75), "Cars": (86.65, 86.55, 86.95, 86.85, 87.25, 86.35)},
    ),
    "layers": Curve(
        "blocks with prompts",
        (2, 4, 6, 8, 10, 12),
        {"CUB": (85.75, 85.75, 86.0, 86.0, 86.0, 86.75), "Cars": (85.5, 85.75, 86.0, 86.75, 87.0, 87.25)},
    ),
    "prompts": Curve(
        "prompts per block",
        (0, 20, 40, 60, 80, 100),
        {"CUB": (86.0, 86.5, 85.5, 84.5, 83.0, 82.5), "Cars": (84.5, 85.5, 86.0, 87.0, 86.5, 86.0)},
    ),
}
