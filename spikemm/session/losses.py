"""What a session lacks, in words that the recorder and a check of it share."""

__all__ = ["losses"]


def losses(
    *,
    cut_off: bool,
    missing_steps: int,
    steps_not_recorded: int,
    asked: str = "",
    spoilt_blocks: int = 0,
    messages_cut_off: bool = False,
) -> str:
    """Return what is wrong with a session in one line, empty if nothing is.

    Parameters
    ----------
    cut_off : bool
        It was not finished as it should be.
    missing_steps : int
        Steps missing in its gaps.
    steps_not_recorded : int
        Steps that came and were not written.
    asked : str
        What it lacks of what triggers asked for, in words.
    spoilt_blocks : int
        Blocks that are damaged or cannot be read.
    messages_cut_off : bool
        A file of frames, readings and events has no end.
    """
    said = {
        "cut off": cut_off,
        f"{spoilt_blocks} blocks damaged or not readable": spoilt_blocks,
        f"{missing_steps} steps missing in gaps": missing_steps,
        f"{steps_not_recorded} steps not taken by the disk": steps_not_recorded,
        asked: asked,
        "messages cut off": messages_cut_off,
    }
    return ", ".join(text for text, holds in said.items() if holds)
