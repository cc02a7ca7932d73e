"""Mixed precision (torch.amp's names)."""

from workbench.optim.grad_scaler import GradScaler
from workbench.tensor.autocast import autocast, is_autocast_available

__all__ = ["GradScaler", "autocast", "is_autocast_available"]
