"""Installs `slowfast_ext`; the ways to get PySlowFast itself are in INSTALL.md."""

from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
README = ROOT / "README.md"
CONFIGS = ["slowfast_ext.configs"] + [
    f"slowfast_ext.configs.{folder.name}"
    for folder in sorted((ROOT / "configs").iterdir())
    if folder.is_dir()
]

setup(
    name="slowfast-ext",
    version="0.1.0",
    description="Multi-label activity recognition for PySlowFast",
    long_description=README.read_text(encoding="utf-8") if README.exists() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    # configs/ lies beside the package in a clone and within it once installed.
    packages=[*find_packages(include=["slowfast_ext", "slowfast_ext.*"]), *CONFIGS],
    py_modules=["run_net"],
    package_dir={name: name.removeprefix("slowfast_ext.").replace(".", "/") for name in CONFIGS},
    package_data={
        "slowfast_ext.paper": ["numbers.csv"],
        "slowfast_ext.report": ["page.html", "page.css", "page.js"],
        **{name: ["*.yaml"] for name in CONFIGS},
    },
    # Lower bounds only. The two belong together: torchvision's wheel loads only beside
    # the torch that it was built for, so pip must choose both from one index.
    install_requires=[
        "torch>=2.3",
        "torchvision>=0.18",
        "pyslowfast>=1.0",
        # pyslowfast imports these too but does not declare them.
        "fvcore>=0.1.5.post20210327",
        # Headless: the same cv2 without a need for libGL.
        "opencv-python-headless>=4.8.0.76",
        "numpy>=1.24",
        # Declared by pyslowfast without lower bounds.
        "av>=17.0",
        "matplotlib>=3.7",
        "pyyaml>=6.0",
        "simplejson>=3.17",
        # What is used here, and by GitHub's main of PySlowFast.
        "iopath>=0.1.9",
        "pandas>=1.5.1",
        # Pillow: what an image declares, before OpenCV makes room for it.
        "pillow>=9.5",
        "tqdm>=4.60",
    ],
    extras_require={
        # The other extras too: without them their tests are skipped.
        "test": [
            "pytest>=8.0",
            "pytest-xdist>=3.5",
            "hypothesis>=6.100",
            "ruff>=0.4",
            "slowfast-ext[onnx,report,tensorboard,timm,transformers]",
        ],
        # Backbones of other libraries. 1.0.20: DINOv3.
        "timm": ["timm>=1.0.20"],
        # 5.18 reads VideoMAE's q and v biases again, 5.22 VideoPrism's classifiers; both need 3.11.
        "transformers": ["transformers>=5.22; python_version>='3.11'"],
        "tensorboard": ["tensorboard>=2.10"],
        "report": ["jinja2>=3.0"],
        # `export --format onnx`.
        "onnx": ["onnx>=1.16", "onnxscript>=0.2", "onnxruntime>=1.18"],
        # What GitHub's main of PySlowFast imports beyond the above (see INSTALL.md).
        "main": ["scipy", "psutil"],
    },
)
