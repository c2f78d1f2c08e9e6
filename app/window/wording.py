"""Numbers as a person says them."""

from __future__ import annotations

import datetime as dt

STATUS_WORDS = {
    "queued": "Queued",
    "running": "Running",
    "paused": "Paused",
    "finished": "Finished",
    "cancelled": "Cancelled",
    "failed": "Failed",
    "interrupted": "Interrupted",
}


def size_text(count: float) -> str:
    """Bytes, such as ``"1.3 GB"``."""
    if count < 1000:
        return f"{count:.0f} B"
    for unit in ("kB", "MB", "GB", "TB"):
        count /= 1000
        if count < 999.5 or unit == "TB":
            break
    return f"{count:.1f} {unit}" if count < 10 else f"{count:.0f} {unit}"


def duration_text(seconds: float) -> str:
    """A time that passed, such as ``"2 min 10 s"``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, rest = divmod(whole, 3600)
    return f"{hours} h {rest // 60} min"


def left_text(seconds: float | None) -> str:
    """Time left, coarser the longer it is, such as ``"2 min 10 s left"``."""
    if seconds is None:
        return ""
    if seconds < 1:
        return "less than 1 s left"
    if seconds > 90:
        seconds = round(seconds / 10) * 10
    return f"{duration_text(max(1, round(seconds)) if seconds < 10 else seconds)} left".replace(".0 s", " s")


def moment(text: str) -> dt.datetime | None:
    """The local time of an ISO text, or None."""
    try:
        when = dt.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except (ValueError, AttributeError):
        return None
    return (when if when.tzinfo else when.replace(tzinfo=dt.UTC)).astimezone()


def age_text(when: dt.datetime | None) -> str:
    """How long ago, such as ``"5 minutes ago"`` or ``"3 March 2026"``."""
    if when is None:
        return ""
    seconds = (dt.datetime.now(dt.UTC) - when).total_seconds()
    if seconds < 90:
        return "just now"
    if seconds < 3600:
        return f"{round(seconds / 60)} minutes ago"
    if seconds < 86_400:
        hours = round(seconds / 3600)
        return f"{hours} hour{'s' if hours > 1 else ''} ago"
    if seconds < 7 * 86_400:
        days = round(seconds / 86_400)
        return f"{days} days ago" if days > 1 else "yesterday"
    return f"{when.day} {when:%B %Y}"


def time_text(when: dt.datetime | None) -> str:
    return f"{when.day} {when:%B %Y, %H:%M:%S}" if when else ""


def in_sentence(title: str) -> str:
    """The name of a kind of data inside a sentence: ``"point cloud"``, but ``"Gaussian cloud"``, after a person."""
    return " ".join(word if word.startswith("Gaussian") else word.lower() for word in title.split())


def with_article(title: str) -> str:
    """The same with its article: ``"a mesh"``, ``"slices"``."""
    words = in_sentence(title)
    return words if words.endswith("s") else f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def count_text(count: int, one: str, many: str = "") -> str:
    """``"1 run"``, ``"3 runs"``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
