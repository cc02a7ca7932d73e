"""What computes beneath (torch.backends' names): attributes that programs read and set.

Setting one is remembered and changes nothing: on the CPU every op is deterministic and exact to its
dtype, and on CUDA CuPy chooses.
"""

from . import cpu, cuda, cudnn, mkl, mkldnn, mps, openmp, opt_einsum

__all__ = ["cpu", "cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp", "opt_einsum"]
