"""The architecture of an M3ViT encoder: sizes, data sets, shapes, MACs and parameters.

Source: VITA-Group/M3ViT (arXiv 2210.14793), its README's flags for 16 experts, and
sharc-lab/Edge-MoE (arXiv 2305.18691) for the tiny network.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from dovetail.errors import TraceError
from dovetail.models.checks import check_count

LAYERS = 12
PATCH = 16
CHANNELS = 3
EMBEDDING = 64
"""Width of the task embedding of a task-conditioned gate, and of the layer before it."""

Gate = Literal["multi", "conditioned"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """An image size and the tasks that a data set has labels for.

    Attributes
    ----------
    name : str
    height, width : int
        Of the image, pixels.
    tasks : tuple of str
    decoder_classes : int
        Channels of the segmentation decoder's last layer.
    """

    name: str
    height: int
    width: int
    tasks: tuple[str, ...]
    decoder_classes: int

    @property
    def patches(self) -> int:
        return (self.height // PATCH) * (self.width // PATCH)

    @property
    def tokens(self) -> int:
        """Patches and one class token."""
        return self.patches + 1


PASCAL = Dataset(
    name="pascal-context",
    height=512,
    width=512,
    tasks=("segmentation", "normals", "parts", "saliency", "edges"),
    decoder_classes=21,
)
NYUD = Dataset(
    name="nyud", height=480, width=640, tasks=("segmentation", "depth"), decoder_classes=40
)
CITYSCAPES = Dataset(
    name="cityscapes", height=128, width=256, tasks=("segmentation", "depth"), decoder_classes=19
)
DATASETS = (PASCAL, NYUD, CITYSCAPES)


@dataclass(frozen=True, slots=True, kw_only=True)
class M3vitConfig:
    """An encoder on images of one size; odd blocks have experts, even ones a dense MLP.

    Attributes
    ----------
    name : str
    hidden, heads, mlp : int
        Width, attention heads, width of a dense MLP.
    experts, top_k, expert_hidden : int
        Experts of a block, how many each token uses, width of one.  0 of 0: every block is dense,
        a plain ViT.
    dataset : Dataset
    gate : str
        ``multi``: a gate for each task.  ``conditioned``: one gate, which also sees a task
        embedding.
    layers : int
    """

    name: str
    hidden: int
    heads: int
    mlp: int
    experts: int
    top_k: int
    expert_hidden: int
    dataset: Dataset
    gate: Gate = "multi"
    layers: int = LAYERS

    def __post_init__(self) -> None:
        for field in ("hidden", "heads", "mlp", "expert_hidden", "layers"):
            check_count(
                getattr(self, field), what=f"{self.name}: {field}", most=1 << 16, advice="change it"
            )
        check_count(
            self.experts, what=f"{self.name}: experts", least=0, most=1 << 12, advice="change it"
        )
        if self.hidden % self.heads:
            raise TraceError(
                f"{self.name}: hidden={self.hidden} must be a multiple of heads={self.heads}; "
                f"change one of them"
            )
        dense = self.experts == self.top_k == 0
        if not dense and not 1 <= self.top_k <= self.experts:
            raise TraceError(
                f"{self.name}: top_k={self.top_k} must be from 1 to experts={self.experts}; "
                f"lower top_k or add experts"
            )

    @property
    def tokens(self) -> int:
        return self.dataset.tokens

    @property
    def head_dim(self) -> int:
        return self.hidden // self.heads

    @property
    def moe_layers(self) -> tuple[int, ...]:
        """Blocks with experts, counted from 0."""
        return tuple(range(1, self.layers, 2)) if self.experts else ()

    @property
    def gate_inputs(self) -> int:
        return self.hidden + (EMBEDDING if self.gate == "conditioned" else 0)

    def dense(self) -> M3vitConfig:
        """The plain ViT of the same sizes."""
        return replace(self, experts=0, top_k=0)

    def task(self, name: str | None) -> int:
        """Index of a task of the data set; the first one where None."""
        tasks = self.dataset.tasks
        if name is None:
            return 0
        if name not in tasks:
            raise TraceError(
                f"task={name!r} is not one of {self.dataset.name}, which has {', '.join(tasks)}; "
                f"choose one of these"
            )
        return tasks.index(name)

    @property
    def macs(self) -> int:
        """Of the encoder for one image and one task, patch embedding included."""
        c, n = self.hidden, self.tokens
        attention = 4 * n * c * c + 2 * n * n * c
        dense = 2 * n * c * self.mlp
        moe = self.top_k * 2 * n * c * self.expert_hidden + n * self.gate_inputs * self.experts
        count = len(self.moe_layers)
        patches = self.dataset.patches * CHANNELS * PATCH * PATCH * c
        return patches + self.layers * attention + (self.layers - count) * dense + count * moe

    @property
    def decoder_macs(self) -> int:
        """Of one task's decoder: four 3 x 3 convolutions to 256 channels, each followed by a
        doubling of both sides but the last, and a 1 x 1 convolution to the classes."""
        # Positions grow fourfold with each doubling.
        positions = [self.dataset.patches * factor for factor in (1, 4, 16, 64)]
        channels = (self.hidden, 256, 256, 256)
        macs = sum(n * c * 256 * 9 for n, c in zip(positions, channels, strict=True))
        return macs + positions[-1] * 256 * self.dataset.decoder_classes

    @property
    def expert_parameters(self) -> int:
        """Of one expert, both biases included."""
        return 2 * self.hidden * self.expert_hidden + self.hidden + self.expert_hidden

    def parameters(self, *, positions: int, gates: int, final_norm: bool, classes: int = 0) -> int:
        """Trained values of the encoder.

        Parameters
        ----------
        positions : int
            Rows of the table of positions.
        gates : int
            Routers of each block that are counted.
        final_norm : bool
        classes : int
            Of an ImageNet head; 0 for none.
        """
        c = self.hidden
        block = 4 * c * c + 4 * c + 4 * c  # attention with its biases, two norms
        dense = 2 * c * self.mlp + self.mlp + c
        moe = self.experts * self.expert_parameters + gates * self.gate_inputs * self.experts
        count = len(self.moe_layers)
        patches = CHANNELS * PATCH * PATCH * c + c
        total = patches + c + positions * c + self.layers * block
        total += (self.layers - count) * dense + count * moe
        return total + 2 * c * final_norm + classes * (c + 1)


TINY = M3vitConfig(
    name="m3vit-tiny",
    hidden=192,
    heads=3,
    mlp=768,
    experts=16,
    top_k=2,
    expert_hidden=384,
    dataset=CITYSCAPES,
)
SMALL = M3vitConfig(
    name="m3vit-small",
    hidden=384,
    heads=12,
    mlp=1536,
    experts=16,
    top_k=4,
    expert_hidden=384,
    dataset=NYUD,
)
BASE = M3vitConfig(
    name="m3vit-base",
    hidden=768,
    heads=12,
    mlp=3072,
    experts=16,
    top_k=4,
    expert_hidden=768,
    dataset=NYUD,
)
CONFIGS = MappingProxyType({config.name: config for config in (TINY, SMALL, BASE)})
"""By name, each on the data set that Dovetail takes unless told otherwise."""


def on_tokens(config: M3vitConfig, tokens: int) -> M3vitConfig:
    """The network on the data set whose images have ``tokens`` tokens."""
    for dataset in DATASETS:
        if dataset.tokens == tokens:
            return replace(config, dataset=dataset)
    raise TraceError(
        f"{config.name}: seq={tokens} must be "
        f"{', '.join(f'{d.tokens} ({d.name})' for d in DATASETS)}; choose one of these"
    )
