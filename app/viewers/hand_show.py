"""What a hand view does when it is given other things to show."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtGui import QDropEvent

from app.background import run_in_background
from app.viewers import hand_bar, hand_picture
from app.viewers.hand_content import hands_in
from app.viewers.hand_render import MODES
from engines.core import UserError
from engines.data import HandAvatar, PoseSequence, RiggedTemplate

if TYPE_CHECKING:
    from app.viewers.hand_view import HandView

POSE_FILES = (".csv", ".json")


def content_changed(view: HandView, update: bool = False) -> None:
    """Other things are on show, or (``update``) the same ones anew."""
    view.choices = hands_in(view.items, view.spare)
    found = [choice for choice in view.choices if choice.id == view.chosen] or view.choices
    before, view.choice = view.choice, found[0] if found else None
    choice = view.choice
    view.posing.set_hand(None if choice is None else choice.template, None if choice is None else choice.home)
    view.hands.clear()
    for one in view.choices:
        view.hands.addItem(one.name, one.id)
    view.hands.setCurrentIndex(0 if choice is None else view.choices.index(choice))
    view.bar.set_shown(view.hands.parentWidget(), len(view.choices) > 1)
    view.empty.setVisible(choice is None)
    view.bar.setVisible(choice is not None)
    view.ball.setVisible(choice is not None)
    view.panel.setVisible(choice is not None and view.panel_action.isChecked())
    view.fit_panel()
    if choice is None:
        view.strip_shown(False)
    elif before is None or before.id != choice.id:
        view.mode = "neural" if view.offers("neural") else "shaded"
        view.light = replace(view.light, captured=isinstance(choice.hand, HandAvatar))
        view.posing.show(choice.home)
        if not view.framing.chosen:
            hand_picture.face(view, 0, turned=True)
    if not view.offers(view.mode):
        view.mode = "shaded"
    hand_bar.show_modes(view, [key for key in MODES if view.offers(key)])
    view.strip.offer(_sequences(view))
    view.captured.show()
    if choice is None:
        view.framing.forget()
        view.say("")
    else:
        view.framing.follow_content(view.extents(), view.room, update=update)
    view.set_light(view.light)
    view.pictures.arrange()
    view.layers_changed.emit()


def _sequences(view: HandView) -> list[tuple[str, PoseSequence]]:
    """What can be played."""
    found = [(item.name, item.artifact) for item in view.items if isinstance(item.artifact, PoseSequence)]
    if view.choice is not None and view.choice.poses is not None:
        found.append(("Captured poses", view.choice.poses))
    return found


def pose_file(event: QDropEvent) -> Path | None:
    """The file of poses that is dragged over the view, if it is one."""
    urls = event.mimeData().urls() if event.mimeData().hasUrls() else []
    paths = [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]
    return paths[0] if len(paths) == 1 and paths[0].suffix.lower() in POSE_FILES else None


def load_poses(view: HandView, path: Path) -> None:
    """Play the poses of a file; what is wrong with it is said on the view."""

    def read() -> PoseSequence:
        from engines.files import read

        found = read(path, format="poses").artifacts[0]
        assert isinstance(found, PoseSequence)
        return found

    def failed(error: BaseException) -> None:
        view.say(
            f"{error.what} {error.why}" if isinstance(error, UserError) else f"{path.name} cannot be read: {error}"
        )

    run_in_background(read, done=view.strip.load, failed=failed, owner=view)


def take_poses(view: HandView) -> None:
    """Poses that are on show are played; those that came without a hand move the one that comes along."""
    own = [item.artifact for item in view.items if isinstance(item.artifact, PoseSequence)]
    if own and view.choice is not None and not len(view.strip.keys):
        view.strip.load(own[-1], once=True)
    elif own and view.choice is None and view.spare is None:
        from engines.files.rigged_glb import the_open_hand

        def there(hand: RiggedTemplate) -> None:
            view.spare = hand
            content_changed(view)
            take_poses(view)

        run_in_background(the_open_hand, done=there, owner=view)
