"""What frozen features are worth: recall at 1 of centred features, by cosine, with nothing trained.

``python -m vptsp.pretraining.measure FOLDER`` does it for the bundled backbone on ``FOLDER/<class>/<image>``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

from vptsp.core.backbones import bundled
from vptsp.data.folder import class_folders, image_files, read_image
from vptsp.data.transforms import eval_transform
from vptsp.evaluation.metrics import recall_at_k
from vptsp.evaluation.ranking import search

Extractor = Callable[[Float[Tensor, "B 3 H W"]], Float[Tensor, "B F"]]


def read_folder(root: Path) -> tuple[Float[Tensor, "N 3 64 64"], np.ndarray, list[str]]:
    """Images in [0, 1], labels and file names of ``root/<class>/<image>``, sized as in retrieval tests."""
    prepare = eval_transform(bundled.SIZE, (0, 0, 0), (1, 1, 1))
    files = [(path, label) for label, folder in enumerate(class_folders(root).values()) for path in image_files(folder)]
    images = torch.stack([prepare(read_image(path)) for path, _ in files])
    return images, np.array([label for _, label in files]), [path.name for path, _ in files]


def digit_images() -> tuple[Float[Tensor, "N 3 64 64"], np.ndarray]:
    """scikit-learn's 1,797 handwritten digits, black on white, enlarged from 8 x 8 pixels."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    prepare = eval_transform(bundled.SIZE, (0, 0, 0), (1, 1, 1))
    pages = (255 - digits.images / 16 * 255).astype(np.uint8)
    return torch.stack([prepare(Image.fromarray(page).convert("RGB")) for page in pages]), digits.target


@torch.inference_mode()
def features(extract: Extractor, images: Float[Tensor, "N 3 H W"], block: int = 200) -> Float[Tensor, "N F"]:
    return torch.cat([extract(images[i : i + block]) for i in range(0, len(images), block)])


def cls_extractor(vit: VisionTransformer) -> Extractor:
    """The CLS token after the final norm, for images in [0, 1]."""
    vit.eval()
    return lambda x: vit.forward_features(x * 2 - 1)[:, 0]


def recall_at_1(rows: Float[Tensor, "N F"], labels: np.ndarray, is_query: np.ndarray | None = None) -> float:
    """Share of queries whose nearest other image is of their class.

    Without ``is_query`` every image is a query against all others; with it, queries against the rest.
    """
    gallery = None if is_query is None else ~is_query
    return recall_at_k(search(rows - rows.mean(0), labels, is_query, gallery, k=1), 1)


def measure_folder(extract: Extractor, root: Path, query_prefix: str = "") -> float:
    """``recall_at_1`` of ``root/<class>/<image>``; files named ``query_prefix*`` are the queries, if given."""
    images, labels, names = read_folder(root)
    is_query = np.array([name.startswith(query_prefix) for name in names]) if query_prefix else None
    return recall_at_1(features(extract, images), labels, is_query)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m vptsp.pretraining.measure", description=__doc__)
    parser.add_argument("folder", type=Path, help="one folder of images per class")
    parser.add_argument("--queries", default="", help="prefix of the query files' names; none: leave one out")
    given = parser.parse_args()
    vit = bundled.vit_bundled_64(pretrained=True)
    print(f"recall@1 {measure_folder(cls_extractor(vit), given.folder, given.queries):.1%}")


if __name__ == "__main__":
    main()
