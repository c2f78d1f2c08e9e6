"""Queue and runners: what runs, on which device, in a thread of ours or in a process of its own.

Nothing here knows Qt but ``bridge.py``, and nothing imports torch before the first job starts.
"""

from app.jobs.job import ENDED, Job, JobEvent, JobSpec, Removed, Reordered, Status, StatusChanged, Submitted
from app.jobs.queue import JobQueue

__all__ = [
    "ENDED",
    "Job",
    "JobEvent",
    "JobQueue",
    "JobSpec",
    "Removed",
    "Reordered",
    "Status",
    "StatusChanged",
    "Submitted",
]
