"""A hand in motion: an avatar or a template in each pose of a sequence, as a video or as meshes over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
import torch

from engines.blocks.avatars.avatar import Avatar, capture_camera
from engines.blocks.camera_paths import Track
from engines.blocks.cameras import Camera
from engines.blocks.meshes.skinning import joint_transforms, skin
from engines.core import Artifact, Example, Param, Params, Run, UserError, method
from engines.data import CameraPath, HandAvatar, Image, MeshField, PoseSequence, RiggedTemplate, Video
from engines.shape.render_path import MOST_KEPT, MOST_PICTURES, png
from engines.shape.xhand import hand_template, tiny


class PoseAvatarParams(Params):
    shows: Literal["neural", "shaded"] = Param(
        "neural", source="own choice", help="What the neural renderer paints, or the surface under the capture's light"
    )
    view: int = Param(
        1, ge=1, le=10_000, label="Camera", source="own choice",
        help="Which camera of the capture to look from, where no path is given",
    )  # fmt: skip
    width: int | None = Param(
        None, ge=16, le=8192, unit="pixels", empty="as the camera", help="Of a picture", source="own choice"
    )
    height: int | None = Param(
        None, ge=16, le=8192, unit="pixels", empty="as the camera", help="Of a picture", source="own choice"
    )
    background: Literal["black", "white"] = Param("white", help="Behind the hand", source="own choice")


def _grey_hand(count: int = 3) -> Mapping[str, Artifact]:
    """A hand whose colours were learned for a moment, and a few poses."""
    capture: Any = tiny()["capture"]
    params = hand_template.params.parse({"levels": 0, "side_length": 32, "albedo_epochs": 10, "albedo_rate": 0.1})
    avatar = hand_template.run({"capture": capture}, params, Run(seed=1))["avatar"]
    bent = np.array(capture.poses.rotations[-1])
    turns = np.linspace(0, 1, count)[:, None, None] * bent
    return {"avatar": avatar, "poses": PoseSequence.of(turns, capture.poses.joint_names, rate=12.0, name="Bending")}


def _other_joints() -> Mapping[str, Artifact]:
    given = _grey_hand()
    return {**given, "poses": PoseSequence.of(np.zeros((2, 1, 3)), ("elbow",))}


def memory(inputs: Mapping[str, Artifact], params: PoseAvatarParams) -> int:
    avatar: Any = inputs["avatar"]
    width, height = _size(avatar, inputs.get("path"), params)
    return int(3e8 + 3000 * len(avatar.template.vertices) + width * height * (200 + 4 * len(inputs["poses"])))  # type: ignore[arg-type]


@method(
    key="pose-avatar",
    title="Film an avatar",
    family="shape",
    job="Make a video of a hand avatar in a sequence of poses.",
    role="preparation",
    sample=Example(lambda: _grey_hand(40), {"width": 160, "height": 160}, "A hand that closes"),
    smoke=Example(_grey_hand, {"width": 48, "height": 48}, "Three poses"),
    degenerate=(
        Example(_other_joints, title="Poses of other joints"),
        Example(_grey_hand, {"view": 99}, "A camera that there is not"),
    ),
    memory=memory,
    lighter=("width", "height"),
    tags=("hand", "avatar", "animation", "video", "poses"),
)  # fmt: skip
def pose_avatar(
    avatar: HandAvatar,
    poses: Annotated[PoseSequence, "from a file, from a capture, or made in the hand view"],
    path: Annotated[CameraPath | None, "to look from; else one of the capture's cameras"],
    params: PoseAvatarParams,
    run: Run,
) -> Annotated[Video, "one picture for each pose"]:
    """Draw each pose from the camera where it is at that time; the light is the mean of the capture's."""
    poses = poses.for_joints(avatar.template.joint_names)
    _refuse_counts(len(poses))
    cameras = _cameras(avatar, path, poses, params)
    live = Avatar.of(avatar, run.device)
    neural = params.shows == "neural"
    if neural and not live.has_renderer:
        run.warn("The avatar has no neural renderer that was trained: its surface is shaded.")
        neural = False
    behind = 1.0 if params.background == "white" else 0.0
    files = list((run.restored() or {"files": []})["files"])
    kept = len(files)
    for frame in run.steps(len(poses), "Filming", start=len(files)):
        live.pose(poses.rotations[frame], poses.translations[frame], float(poses.scales[frame]))
        picture = live.neural(cameras[frame]) if neural else live.shaded(cameras[frame])
        colours = picture[..., :3] + behind * (1 - picture[..., 3:])
        pixels = (255 * colours.clamp(0, 1)).round().byte().cpu().numpy()
        files.append(np.frombuffer(png(pixels), np.uint8))
        run.log(**{"Share of the picture": picture[..., 3].mean()})
        run.preview(lambda pixels=pixels, frame=frame: Image(pixels=pixels, name=f"Pose {frame + 1}"))  # type: ignore[misc]
        kept = frame + 1 if sum(f.nbytes for f in files) <= MOST_KEPT else kept
        run.checkpoint(lambda kept=kept: {"files": files[:kept]})  # type: ignore[misc]
    name = f"{avatar.name or 'Hand'}, {poses.name or 'poses'}"
    return Video.packed([f.tobytes() for f in files], cameras[0].width, cameras[0].height, poses.rate, name)


class PoseTemplateParams(Params):
    colours: bool = Param(True, help="Give the colours of the vertices, too", source="own choice")


def _meshes_memory(inputs: Mapping[str, Artifact], params: PoseTemplateParams) -> int:
    given: Any = inputs.get("avatar") or inputs.get("template")
    template = given.template if isinstance(given, HandAvatar) else given
    count = 0 if template is None else len(template.vertices)
    return int(2e8 + count * len(inputs["poses"]) * (2 * 24 + 2 * 20))  # type: ignore[arg-type]


@method(
    key="pose-template",
    title="Meshes of a posed hand",
    family="shape",
    job="Give the surface of a hand avatar, or of a bare template, in each pose of a sequence.",
    role="preparation",
    sample=Example(lambda: _grey_hand(40), title="A hand that closes"),
    smoke=Example(_grey_hand, title="Three poses"),
    degenerate=(
        Example(_other_joints, title="Poses of other joints"),
        Example(lambda: {"poses": _grey_hand()["poses"]}, title="No hand"),
    ),
    memory=_meshes_memory,
    tags=("hand", "avatar", "template", "animation", "poses", "moving mesh"),
)  # fmt: skip
def pose_template(
    avatar: Annotated[HandAvatar | None, "with its detail and colours; or else"],
    template: Annotated[RiggedTemplate | None, "a bare template"],
    poses: Annotated[PoseSequence, "from a file, from a capture, or made in the hand view"],
    params: PoseTemplateParams,
    run: Run,
) -> Annotated[MeshField, "a mesh that moves: to be played, and exported frame by frame"]:
    """Where each vertex is at the time of each pose, how far it has moved from rest (mm), and its albedo."""
    if avatar is None and template is None:
        raise UserError(
            "There is no hand to pose.", "It takes an avatar or a template.", "Choose one, or make the open hand."
        )
    rest = avatar.template if avatar is not None else template
    assert rest is not None
    poses = poses.for_joints(rest.joint_names)
    _refuse_counts(len(poses))
    live = Avatar.of(avatar, run.device) if avatar is not None else None
    coloured = params.colours and (live is not None or rest.colors is not None)
    places = np.empty((len(poses), len(rest.vertices), 3))
    values = np.empty((len(poses), 4 if coloured else 1, len(rest.vertices)), np.float32)
    for frame in run.steps(len(poses), "Posing"):
        moved, colours = _posed(live, rest, poses, frame)
        places[frame] = moved - rest.vertices
        values[frame, 0] = 1e3 * np.linalg.norm(places[frame], axis=1)
        if coloured:
            values[frame, 1:] = colours.T
    return MeshField(
        points=rest.vertices, cells=rest.faces, values=values, times=np.arange(len(poses)) / poses.rate,
        displacements=places, components=("moved (mm)", "red", "green", "blue")[: values.shape[1]],
        length_unit="m", time_unit="s", name=f"{(avatar or rest).name or 'Hand'}, {poses.name or 'posed'}",
    )  # fmt: skip


def _posed(
    live: Avatar | None, rest: RiggedTemplate, poses: PoseSequence, frame: int
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Vertices (V, 3) in m and colours (V, 3) in a pose."""
    turned, shift, scale = poses.rotations[frame], poses.translations[frame], float(poses.scales[frame])
    if live is not None:
        posed = live.pose(turned, shift, scale)
        return posed.vertices.double().cpu().numpy(), posed.albedo.cpu().numpy()
    rotations, joints, vertices, weights = (
        torch.from_numpy(np.array(a)) for a in (turned, rest.joints, rest.vertices, rest.weights)
    )
    moved = skin(vertices, weights, joint_transforms(rotations, joints, rest.parents)).numpy()
    colours = np.zeros((len(moved), 3)) if rest.colors is None else rest.colors[:, :3] / 255
    return scale * moved + shift, colours


def _refuse_counts(count: int) -> None:
    if not 0 < count <= MOST_PICTURES:
        raise UserError(
            f"The sequence has {count:,} poses.", f"From one to {MOST_PICTURES:,} can be shown.", "Choose another one."
        )


def _size(avatar: HandAvatar, path: Any, params: PoseAvatarParams) -> tuple[int, int]:
    """Width and height of a picture; one side alone keeps the shape of the camera's."""
    if isinstance(path, CameraPath):
        width, height = path.width, path.height
    else:
        if params.view > len(avatar.sizes):
            raise UserError(
                f"There is no camera {params.view}.", f"The capture had {len(avatar.sizes)}.", "Choose one of these."
            )
        width, height = (int(n) for n in avatar.sizes[params.view - 1])
    shape = width / height
    if params.width and params.height:
        return params.width, params.height
    if params.width:
        return params.width, max(16, round(params.width / shape))
    return (max(16, round(params.height * shape)), params.height) if params.height else (width, height)


def _cameras(
    avatar: HandAvatar, path: CameraPath | None, poses: PoseSequence, params: PoseAvatarParams
) -> list[Camera]:  # fmt: skip
    """One for each pose."""
    width, height = _size(avatar, path, params)
    if path is None:
        return [capture_camera(avatar, params.view - 1).resized(width, height)] * len(poses)
    return Track(path).cameras(np.arange(len(poses)) / poses.rate, width, height)
