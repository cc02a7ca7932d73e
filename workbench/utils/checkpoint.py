"""Trading time for memory (torch.utils.checkpoint's names)."""

from workbench.tensor.checkpoint import CheckpointError, checkpoint, checkpoint_sequential

__all__ = ["CheckpointError", "checkpoint", "checkpoint_sequential"]
