"""Compile the kernels once, before several processes would each do it."""

__all__ = ["warm_up"]


def warm_up() -> None:
    """Fill Numba's cache on disk for the encoders and the simulator; quick when it is filled."""
    # Here and not above: whoever imports this module need not load Numba yet.
    from spikemm import encoding, simulator

    encoding.warm_up()
    simulator.warm_up()
