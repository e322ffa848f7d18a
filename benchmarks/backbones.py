"""
The table of docs/BACKBONES.md: what each backbone's map is, and what it costs.

    python -m benchmarks.backbones [--only NAME ...] [--repeats 2]

Networks have random weights and run on one clip of their own length and size; those of
transformers are built from its default config of the published size. Counted: parameters without
classifier, multiply-adds with attention. Timed: processor seconds of one thread, which other work
on the machine does not lengthen; the fastest of
the repeats; with none of them nothing is timed.
"""

import tempfile
import time
from typing import NamedTuple

import torch

from benchmarks.timing import benchmark_parser
from slowfast_ext import upstream
from slowfast_ext.engine.setup import checked_config
from slowfast_ext.models.backbones import build_backbone, map_shape
from slowfast_ext.paper.cost import multiply_adds


class Row(NamedTuple):
    """
    A backbone, and what its authors say of its weights.

    Attributes:
        name: PREFIX:NAME of ACTIVITY.BACKBONE; of transformers' the published repository.
        weights: TRAIN.CHECKPOINT_FILE_PATH.
        licence: of the weights.
        kinetics: top-1 on Kinetics-400 as published, in percent, with how; "" where none is.
        config: transformers' class of the network's config, and what of it is not the default.
    """

    name: str
    weights: str
    licence: str
    kinetics: str = ""
    config: tuple = ()


def _torchvision(name, weights, kinetics):
    path = f"torchvision:{weights}"
    return Row(f"torchvision:{name}", path, "BSD-3-Clause, of the package", kinetics)


def _transformers(name, licence, kinetics, kind, **changes):
    return Row(f"transformers:{name}", f"transformers:{name}", licence, kinetics, (kind, changes))


_LARGE = {"hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16}
ROWS = (
    _torchvision("r3d_18", "R3D_18_Weights.KINETICS400_V1", "63.2"),
    _torchvision("mc3_18", "MC3_18_Weights.KINETICS400_V1", "64.0"),
    _torchvision("r2plus1d_18", "R2Plus1D_18_Weights.KINETICS400_V1", "67.5"),
    _torchvision("s3d", "S3D_Weights.KINETICS400_V1", "68.4"),
    _torchvision("swin3d_t", "Swin3D_T_Weights.KINETICS400_V1", "77.7"),
    _torchvision("swin3d_s", "Swin3D_S_Weights.KINETICS400_V1", "79.5"),
    _torchvision("swin3d_b", "Swin3D_B_Weights.KINETICS400_IMAGENET22K_V1", "81.6"),
    _torchvision("mvit_v1_b", "MViT_V1_B_Weights.KINETICS400_V1", "78.5"),
    _torchvision("mvit_v2_s", "MViT_V2_S_Weights.KINETICS400_V1", "80.8"),
    _transformers(
        "MCG-NJU/videomae-base-finetuned-kinetics", "CC-BY-NC 4.0", "80.9", "VideoMAEConfig"
    ),
    _transformers(
        "facebook/vjepa2-vitl-fpc64-256", "MIT", "none; SSv2 73.7, frozen", "VJEPA2Config"
    ),
    _transformers(
        "google/videoprism-large-f8r288",
        "Apache-2.0, CC-BY 4.0",
        "85.0, frozen",
        "VideoPrismVisionConfig",
        num_spatial_layers=24,
        num_frames=8,
        **_LARGE,
    ),
    _transformers(
        "facebook/timesformer-base-finetuned-k400", "CC-BY-NC 4.0", "77.9", "TimesformerConfig"
    ),
    _transformers("google/vivit-b-16x2-kinetics400", "MIT", "79.9", "VivitConfig"),
    Row("timm:mobilenetv2_100", "timm:mobilenetv2_100.ra_in1k", "Apache-2.0"),
    Row("timm:resnet50", "timm:resnet50.a1_in1k", "Apache-2.0"),
    Row("timm:convnext_tiny", "timm:convnext_tiny.in12k_ft_in1k", "Apache-2.0"),
    Row(
        "timm:vit_base_patch16_clip_224",
        "timm:vit_base_patch16_clip_224.laion2b_ft_in12k_in1k",
        "Apache-2.0",
    ),
    Row("timm:vit_base_patch16_dinov3", "timm:vit_base_patch16_dinov3.lvd1689m", "DINOv3's own"),
)


def config_of(row, folder):
    """The row's config, checked; transformers' networks are described in a folder."""
    name = row.name
    if row.config:
        import transformers

        kind, changes = row.config
        getattr(transformers, kind)(**changes).save_pretrained(folder)
        name = f"transformers:{folder}"
    options = {
        "MODEL.MODEL_NAME": "ActivityNetwork",
        "ACTIVITY.BACKBONE": name,
        "ACTIVITY.HEAD": "PoolHead",
        "TRAIN.DATASET": "Synthetic",
        "TEST.DATASET": "Synthetic",
        "NUM_GPUS": 0,
        # An image network's clips have no length of their own.
        **({"DATA.NUM_FRAMES": 16} if name.startswith("timm:") else {}),
    }
    return checked_config(None, [str(word) for pair in options.items() for word in pair])


def measured(row, repeats):
    """The row's cells: clip, C, T' x H' x W', parameters, multiply-adds, seconds."""
    with tempfile.TemporaryDirectory() as folder:
        cfg = config_of(row, folder)
        size = cfg.DATA.TRAIN_CROP_SIZE
        with torch.device("meta"):
            backbone = build_backbone(cfg)
            clip = torch.empty(3, cfg.DATA.NUM_FRAMES, size, size)
        pathways = [pathway[None] for pathway in upstream.pack_pathways(cfg, clip)]
        shape = map_shape(cfg, backbone)
        gmacs = multiply_adds(backbone, pathways) / 1e9
        seconds = fastest(cfg, pathways, repeats) if repeats else None
    millions = sum(p.numel() for p in backbone.parameters()) / 1e6
    return (
        f"{cfg.DATA.NUM_FRAMES} x {size}²",
        shape.channels,
        f"{shape.frames} x {shape.height} x {shape.width}",
        f"{millions:.1f}",
        f"{gmacs:.1f}",
        f"{seconds:.1f}" if repeats else "",
    )


def fastest(cfg, pathways, repeats):
    """Processor seconds of one clip's maps, of pathways of these shapes."""
    backbone = build_backbone(cfg).eval()
    given = [torch.rand(pathway.shape) for pathway in pathways]
    seconds = []
    with torch.inference_mode():
        for _ in range(repeats):
            start = time.process_time()
            backbone(list(given))
            seconds.append(time.process_time() - start)
    return min(seconds)


def main():
    parser = benchmark_parser(__doc__, repeats=2)
    parser.add_argument("--only", nargs="*", default=[], help="parts of names")
    args = parser.parse_args()
    torch.set_num_threads(1)
    print("| network | clip | C | T' x H' x W' | M | G | s | weights' licence | Kinetics-400 |")
    print("|---|---|---|---|---|---|---|---|---|")
    for row in ROWS:
        if not args.only or any(part in row.name for part in args.only):
            cells = map(str, measured(row, args.repeats))
            print(
                f"| `{row.name}` | {' | '.join(cells)} | {row.licence} | {row.kinetics} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
