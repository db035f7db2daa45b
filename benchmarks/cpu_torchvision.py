"""Imported first by the workers of a benchmark: a torchvision for CUDA beside a CPU-only PyTorch.

Where torchvision imports by itself, this does nothing more than that.
"""

from __future__ import annotations

from tests.zoo_support import torchvision_imports

torchvision_imports()
