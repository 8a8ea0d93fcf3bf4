"""Every error that the engine raises on purpose.

::

    EngineError
    ├── PipelineError    a pipeline file, option or graph that cannot run as written
    ├── EnvelopeError    a message that is not what the wire format says
    ├── LinkError        an endpoint that cannot be bound or joined
    └── ControlError     a command that a running pipeline refuses, or no pipeline to talk to

A message names the place, the value, the limit and the remedy, in one line.
"""

__all__ = ["ControlError", "EngineError", "EnvelopeError", "LinkError", "PipelineError"]


class EngineError(Exception):
    """Base of every error of this package; its text is fit to be shown to a user."""


class PipelineError(EngineError):
    """A pipeline cannot run as written."""


class EnvelopeError(EngineError):
    """A message breaks the wire format."""


class LinkError(EngineError):
    """An endpoint cannot be bound or joined."""


class ControlError(EngineError):
    """A command cannot be carried out."""
