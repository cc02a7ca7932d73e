"""torch.utils.data.dataloader's path."""

from workbench.data import DataLoader, default_collate, get_worker_info

__all__ = ["DataLoader", "default_collate", "get_worker_info"]
