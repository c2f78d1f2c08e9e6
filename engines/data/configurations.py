"""What artifacts with learned weights hold as JSON: how large their networks are and how they are made."""

from __future__ import annotations

import json
from typing import Any

from engines.core import UserError


def configuration(text: str, of: str, mend: str) -> dict[str, Any]:
    """The object that ``text`` holds. Raises :class:`UserError` when it holds none; ``of`` says whose it is."""
    try:
        plain = json.loads(text)
    except ValueError:
        plain = None
    if not isinstance(plain, dict):
        raise UserError(f"The configuration of the {of} is not valid JSON.", mend=mend)
    return plain
