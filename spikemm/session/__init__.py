"""Sessions: what `record` writes, a folder of packed steps, an index, a description, and messages for open viewers."""

from spikemm.session.check import SessionCheck
from spikemm.session.description import Description, Trigger
from spikemm.session.layout import DESCRIPTION, is_session, messages_name
from spikemm.session.losses import losses
from spikemm.session.room import DiskRoom
from spikemm.session.steps import SessionSteps
from spikemm.session.writer import SessionWriter

__all__ = [
    "DESCRIPTION",
    "Description",
    "DiskRoom",
    "SessionCheck",
    "SessionSteps",
    "SessionWriter",
    "Trigger",
    "is_session",
    "losses",
    "messages_name",
]
