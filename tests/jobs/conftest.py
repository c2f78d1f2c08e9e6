"""What these tests measure is the queue, not how long a busy machine takes to import torch."""

import torch  # noqa: F401
