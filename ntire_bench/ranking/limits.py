"""How much a change of a submission may cost. Imports nothing: the command's options are made of it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much a change may cost; None for no limit.

    Attributes:
        params: Largest growth of the parameters, as a share: 0.02 for 2 %.
        flops: Alike, of the FLOPs.
        runtime: Alike, of the runtime.
        psnr_db: Largest loss of mean PSNR of a split [dB].
    """

    params: float | None = None
    flops: float | None = None
    runtime: float | None = None
    psnr_db: float | None = None

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return any(value is not None for value in vars(self).values())
