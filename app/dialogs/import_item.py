"""One file on its way into a project: read, described, perhaps prepared, named. Knows no widget."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from PySide6.QtCore import QObject, Signal

from app.background import Task, run_in_background
from app.dialogs.adding import Addition
from app.dialogs.facts import Facts, describe, has_unit
from app.dialogs.live import Answer, LivePreparation, Request
from engines.core import Artifact, Cancelled, Method, Params, UserError, catalog
from engines.data import Measure, Slices, Volume

if TYPE_CHECKING:
    from engines.files import Loaded, Reader

log = logging.getLogger("fieldwright.import")

State = Literal["reading", "ready", "preparing", "refused", "cancelled"]
LINK_BYTES = 50_000_000
"""Files over this size may be linked to instead of embedded; photos always."""
PICTURES = (".png", ".jpg", ".jpeg")
MANY_PICTURES = 3
"""So many pictures that are chosen together are taken for photos of one scene."""
KEEP = "keep"
"""The plan that adds what was read as it is."""


@dataclass(frozen=True)
class Opened:
    """All that the first look at a file gives."""

    loaded: Loaded
    facts: tuple[Facts, ...]
    readers: tuple[Reader, ...]
    reader: Reader
    options: Params | None


def open_file(
    path: Path,
    options: Params | None,
    format: str | None,
    parts: Sequence[Path] = (),
    progress: Callable[[float, str], None] = lambda fraction, text: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Opened:
    """Read and describe a file, or these ``parts`` of a folder. Raises UserError, and Cancelled.

    Not for the GUI thread.
    """
    from engines.files import READERS, read, readers_for

    def tell(fraction: float, text: str) -> None:
        if cancelled():
            raise Cancelled
        progress(fraction, text)

    if parts and options is None:
        options, format = _only(parts), "photo-folder"
    fitting = tuple(readers_for(path))
    loaded = read(path, options, format, tell)
    if not loaded.artifacts:
        raise UserError(f"'{path.name}' holds nothing that can be used.", mend="Choose another file.")
    chosen = READERS[format] if format else fitting[0]
    return Opened(loaded, tuple(describe(a) for a in loaded.artifacts), fitting, chosen, options)


def _only(files: Sequence[Path]) -> Params:
    """Options that take these photos of their folder: all of them if they are all."""
    from engines.files.photo_folder import PhotoFolderOptions, photo_files

    every = {file.name for file in photo_files(files[0].parent)} == {file.name for file in files}
    return PhotoFolderOptions(only="" if every else ";".join(file.name for file in files))


def preparations_for(kind: type[Artifact]) -> tuple[Method, ...]:
    """Preparations that need one artifact of this type and nothing else. Loads the catalog: not for the GUI thread.

    What compares has a second input of one kind or another, none of them required: its examples tell.
    """

    def fits(method: Method) -> bool:
        required = [spec for spec in method.inputs if not spec.optional]
        if method.role != "preparation" or len(required) != 1 or not issubclass(kind, required[0].type):
            return False
        example = method.smoke or method.sample
        return len(required) == len(method.inputs) or example is None or len(example.inputs()) == 1

    return tuple(method for method in catalog() if fits(method))


class ImportItem(QObject):
    """``changed`` after every change of state; ``opened`` once when reading has ended well."""

    changed = Signal()
    opened = Signal()
    prepared = Signal()
    progressed = Signal(float, str)

    def __init__(self, path: str | Path, parent: QObject | None = None, parts: tuple[Path, ...] = ()) -> None:
        """``parts`` are the files of a folder that were chosen, where they are not all."""
        super().__init__(parent)
        self.path = Path(path)
        lies_in = self.path.parent.name if self.path.name.lower() == "images" else ""
        self.name = stem(lies_in or self.path.name)
        self.parts = parts
        self.state: State = "reading"
        self.error: BaseException | None = None
        self.found: Opened | None = None
        self.methods: tuple[Method, ...] = ()
        self.methods_known = False
        self._methods_for: type[Artifact] | None = None
        self.plan = KEEP
        self.params: dict[str, Params] = {}
        self.seed = 0
        self.unit: str | None = None
        self.keep_source = False
        self.link = False
        self.answer: Answer | None = None
        self.file_bytes = _size(self.path)
        self._format: str | None = None
        self.options: Params | None = None
        self._task: Task | None = None
        self._source: tuple[Artifact, str | None, Artifact] | None = None
        self._live = LivePreparation(self)
        self._live.answered.connect(self._prepared)
        self._live.failed.connect(self._refused)
        self._live.progressed.connect(self.progressed)

    # reading -----------------------------------------------------------------------------------------

    @property
    def source(self) -> Artifact | None:
        """What was read first from the file, in the unit that was chosen."""
        if self.found is None:
            return None
        first = self.found.loaded.artifacts[0]
        if self._source is None or self._source[0] is not first or self._source[1] != self.unit:
            self._source = first, self.unit, self._in_unit(first)
        return self._source[2]

    @property
    def together(self) -> tuple[Artifact, ...]:
        """The measures in the file, where all that it holds are some in one space: they are looked at together."""
        found = self.found.loaded.artifacts if self.found is not None else ()
        spaces = {a.points.shape[1] if isinstance(a, Measure) else 0 for a in found}
        return found if len(found) > 1 and len(spaces) == 1 and 0 not in spaces else ()

    @property
    def asks(self) -> bool:
        """Whether the file can be read in more than one way, and waits for which."""
        from engines.files import Question

        return self.state == "refused" and isinstance(self.error, Question)

    @property
    def readers(self) -> tuple[Reader, ...]:
        """Those that may read the file, also where the one that was tried refused it."""
        if self.found is not None:
            return self.found.readers
        if self.state != "refused":
            return ()
        from engines.files import readers_for

        return tuple(readers_for(self.path))

    @property
    def format(self) -> str:
        """The key of the reader that was tried last."""
        return (
            self.found.reader.key if self.found is not None else self._format or next((r.key for r in self.readers), "")
        )

    @property
    def problems(self) -> tuple[str, ...]:
        read = self.found.loaded.problems if self.found else ()
        return read + (self.answer.warnings if self.answer and self.plan != KEEP else ())

    def read(self, options: Params | None = None, format: str | None = None) -> None:
        """(Re)read the file; a read that is under way is dropped."""
        self.cancel()
        self.options, self._format = options, format
        self.state, self.error, self.found, self.answer = "reading", None, None, None
        self._task = run_in_background(
            open_file, self.path, options, format, self.parts, done=self._opened, failed=self._refused,
            progress=self._read_so_far, owner=self,
        )  # fmt: skip
        self.changed.emit()

    def answer_with(self, choice: Mapping[str, Any]) -> None:
        """Read again as the answer to a question says; earlier answers hold."""
        from engines.files import READERS

        kind = READERS[self.format].options
        self.read(kind.parse(dict(choice), self.options), self.format)

    def _read_so_far(self, fraction: float, text: str) -> None:
        if self.state == "reading":
            self.progressed.emit(fraction, text)

    def cancel(self) -> None:
        """Stop what is under way. Memory that a reader has taken is freed when it returns."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._live.cancel()
        if self.state == "reading":
            self.state = "cancelled"
            self.changed.emit()
        elif self.state == "preparing":
            self.plan, self.state = KEEP, "ready"
            self.changed.emit()

    def _opened(self, found: Opened) -> None:
        self._task = None
        self.found, self.options, self.state = found, found.options, "ready"
        if found.loaded.files:
            self.file_bytes = (_size(self.path) or 0) + sum(_size(file) or 0 for file in found.loaded.files)
        first = found.loaded.artifacts[0]
        if self.unit is None:
            self.unit = getattr(first, "unit", "") if has_unit(first) else ""
        kind = type(first)
        if self.methods_known and kind is not self._methods_for:  # it was read as something else before
            self.methods, self.methods_known, self.plan = (), False, KEEP
        self._methods_for = kind
        if not self.methods_known:
            run_in_background(preparations_for, kind, done=self._know_methods, failed=lambda _: None, owner=self)
        self.opened.emit()
        self.changed.emit()

    def _know_methods(self, methods: tuple[Method, ...]) -> None:
        self.methods, self.methods_known = methods, True
        for method in methods:
            if method.key not in self.params:
                self.params[method.key] = method.params()
                self._suggest(method)
        source = self.source
        # A scanner's grey values are kept, and a mesh in its texture; what is a solid already is there to be sliced.
        solid = not isinstance(source, Volume) or bool(self.found and self.found.facts[0].labels)
        solid = solid and getattr(source, "texture", None) is None
        slicing = next((m for m in methods if any(issubclass(o.type, Slices) for o in m.outputs)), None)
        if slicing is not None and solid and self.state == "ready":
            self.choose_plan(slicing.key, soon=False)
        self.changed.emit()

    def _suggest(self, method: Method) -> None:
        """Start with the largest label, or with the threshold that parts a scan best."""
        facts = self.found.facts[0] if self.found else None
        if facts is None:
            return
        start: dict[str, Any] = {}
        if facts.labels and "label" in method.params.model_fields:
            start["label"] = facts.labels[0].label
        elif facts.threshold is not None and "threshold" in method.params.model_fields:
            start["threshold"] = facts.threshold
        with contextlib.suppress(UserError):
            self.params[method.key] = method.params.parse(start, self.params[method.key])

    def _refused(self, error: BaseException) -> None:
        self._task = None
        if not isinstance(error, UserError):
            log.error("%s cannot be imported", self.path.name, exc_info=error)
        self.error = error
        self.state = "refused"
        self.answer = None
        self.changed.emit()

    # what will be added ------------------------------------------------------------------------------

    def method(self) -> Method | None:
        """The preparation that was chosen, or None."""
        return next((m for m in self.methods if m.key == self.plan), None)

    def choose_plan(self, plan: str, *, soon: bool = True) -> None:
        self.plan = plan
        self.prepare(soon=soon)

    def set_params(self, params: Params) -> None:
        self.params[self.plan] = params
        self.prepare()

    def set_seed(self, seed: int) -> None:
        self.seed = seed
        self.prepare()

    def set_unit(self, unit: str) -> None:
        if unit != self.unit:
            self.unit = unit
            self.prepare()

    def prepare(self, *, soon: bool = True) -> None:
        """Compute again what the plan gives, in the background."""
        if self.found is None:
            return
        self._live.cancel()
        self.error, self.answer = None, None
        method, source = self.method(), self.source
        if method is None or source is None:
            self.state = "ready"
        else:
            slot = method.accepts(source)
            assert slot is not None
            self.state = "preparing"
            self._live.request(Request(method.key, {slot: source}, self.params[method.key], self.seed), soon=soon)
        self.changed.emit()

    def invalid(self, problem: str) -> None:
        """The form holds something that cannot be: nothing can be added now."""
        self._live.cancel()
        self._refused(UserError("The settings cannot be used as they are.", problem, "Correct the marked field."))

    def _prepared(self, answer: Answer) -> None:
        self.answer, self.state = answer, "ready"
        self.prepared.emit()
        self.changed.emit()

    def outputs(self) -> Mapping[str, Artifact]:
        """What the plan has given, by name; what was read if nothing is prepared."""
        if self.answer is not None and self.plan != KEEP:
            return self.answer.outputs
        source = self.source
        return {} if source is None else {"": source}

    @property
    def can_link(self) -> bool:
        """Whether something will be added that is in the file as it is, and large enough to stay there."""
        as_it_is = self.plan == KEEP or self.keep_source
        return self.state == "ready" and as_it_is and (self.many_files or (self.file_bytes or 0) > LINK_BYTES)

    @property
    def many_files(self) -> int:
        """How many files it is read from; 0 where it is one."""
        return len(self.found.loaded.files) if self.found is not None else 0

    def _as_read(self, name: str, index: int) -> Addition:
        """One of the artifacts that the file holds, linked if that was chosen."""
        from app.project import Provenance, link_to
        from engines.files import file_of

        assert self.found is not None
        reader, read = self.found.reader, self.found.loaded.artifacts[index]
        options = (self.options or reader.options()).model_dump(mode="json")
        artifact = self._in_unit(read)
        unit = None if artifact is read else self.unit
        files = self.found.loaded.files
        link = functools.partial(link_to, file_of(self.path, reader.key), reader.key, options, index, unit, files)
        how = Provenance(reader=reader.key, options=options)
        return Addition(name, artifact, self._origin, how, link=link if self.link and self.can_link else None)

    @property
    def _origin(self) -> str:
        return str(self.path.absolute())

    def additions(self) -> list[Addition]:
        """Empty unless the item is ready."""
        if self.state != "ready" or self.found is None:
            return []
        name = self.name.strip() or stem(self.path.name)
        if self.plan == KEEP:
            arts = self.found.loaded.artifacts
            if len(arts) == 1:
                return [self._as_read(name, 0)]
            return [self._as_read(f"{name} ({a.name or i + 1})", i) for i, a in enumerate(arts)]
        source, how = self.source, self._as_read(name, 0).provenance
        asked = self.answer.request if self.answer is not None else None
        if how is not None and asked is not None:
            params = asked.params.model_dump(mode="json") if asked.params is not None else {}
            how = dataclasses.replace(how, role="preparation", method=asked.method, params=params, seed=asked.seed)
        made = [
            Addition(
                name if i == 0 else f"{name} ({key.replace('/', ' ')})",
                artifact,
                self._origin,
                dataclasses.replace(how, output=key) if how is not None else None,
                source,
            )
            for i, (key, artifact) in enumerate(self.outputs().items())
        ]
        if self.keep_source and source is not None:
            made.append(self._as_read(f"{name} ({source.title.lower()})", 0))
        return made

    def _in_unit(self, artifact: Artifact) -> Artifact:
        if self.unit is None or not has_unit(artifact) or getattr(artifact, "unit", "") == self.unit:
            return artifact
        return artifact.replace(unit=self.unit)


def label_field(method: Method) -> str | None:
    """The params field that takes the label to slice, if the method has one."""
    return "label" if "label" in method.params.model_fields else None


def with_label(params: Params, label: Any) -> Params:
    return type(params).parse({"label": label}, params)


def together(paths: Sequence[Path]) -> tuple[list[Path], dict[Path, list[Path]]]:
    """(what is opened one by one, pictures that were chosen together by their folder)."""
    by_folder: dict[Path, list[Path]] = {}
    for path in paths:
        if path.suffix.lower() in PICTURES and ";" not in path.name:
            by_folder.setdefault(path.parent, []).append(path)
    groups = {folder: files for folder, files in by_folder.items() if len(files) >= MANY_PICTURES}
    grouped = {file for files in groups.values() for file in files}
    return [path for path in paths if path not in grouped], groups


def stem(file_name: str) -> str:
    """The name without its extensions (``"scan.nii.gz"`` gives ``"scan"``), with blanks for underscores."""
    name = file_name
    for double in (".nii.gz", ".tar.gz", ".camera_path.json"):
        if name.lower().endswith(double):
            name = name[: -len(double)]
            break
    else:
        name = os.path.splitext(name)[0]
    return name.replace("_", " ").strip() or file_name


def _size(path: Path) -> int | None:
    try:
        return None if path.is_dir() else path.stat().st_size  # a folder's own size says nothing of what is in it
    except OSError:
        return None
