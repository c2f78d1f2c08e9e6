"""The project: one HDF5 file with artifacts, runs and the view.

Layout of a ``.fieldwright`` file, version 1. It is plain HDF5 (1.10 format) and needs nothing of this package::

    /                      attributes: format ("fieldwright"), version, readable_from, created, modified,
                           application, journal, journal_seq (the last journal record that the file holds)
    /artifacts/<id>        attributes: type, name, created, hash, role ("dataset" or "result"), starred, origin,
                           summary, nbytes, order; run and output when a run made it;
                           provenance (JSON: reader, options, and method, params, seed of a preparation); link (JSON:
                           path, relative, size, hash, reader, options) when its arrays are not here but in that file
        <array field>      dataset with the field's dtype; chunked, shuffled, deflated; small ones inside the header.
                           Attribute "text": UTF-8 strings, for a numpy array of that dtype. "time": a numpy time dtype
        <dict of arrays>/  group of datasets; attribute (or dataset "%keys") "keys": JSON list of the keys in order.
                           A key that HDF5 cannot carry as a name is stored as "%<its index>"
        <nested>/          group of the same kind, attribute "type"
        <text field>       string dataset: a scalar, or one element of a 1-d array when it is long
        <number field>     scalar dataset with the attribute "scalar"
        <other field>      string dataset with JSON, attribute "json" or "json-tuple"
    /runs/<id>             attributes: method, title, status, seed, device, started, seconds, preset,
                           has_checkpoint, order
        params, versions, inputs, input_hashes, outputs      strings with a JSON object
        log                string with a JSON list of [level, text, seconds]
        command, error, note                                 strings
        curves/<name>      (N, 2) float64: step, value
        checkpoint/        attribute step; tree (string, JSON); arrays/<number>
    /view/state            string with JSON: layout, cameras, colour maps

Times are ISO 8601 in UTC. Strings are UTF-8 of fixed length. All links are hard links; files with others are refused.

    import h5py
    with h5py.File("P.fieldwright") as file:
        for key, group in file["artifacts"].items():
            print(key, group.attrs["type"].decode(), group.attrs["name"].decode())
            if group.attrs["type"] == b"Mesh" and "link" not in group.attrs:
                vertices, faces = group["vertices"][:], group["faces"][:]

A file is never changed in place. Beside ``P.fieldwright`` may lie ``P.fieldwright.bak`` (the file before the last
save) and, while it is open or after a crash, ``.P.fieldwright.journal/`` (see :mod:`app.project.journal`).
"""

from app.project.history import Command, History
from app.project.ownership import clean_name
from app.project.project import Project, Row
from app.project.records import Change, Entry, LogLine, RunRecord
from app.project.recovery import Recovery
from app.project.saving import Saving, backup_path
from app.project.sources import Item, Link, Provenance, link_to
from app.project.state import LazyArray

__all__ = [
    "Change",
    "Command",
    "Entry",
    "History",
    "Item",
    "LazyArray",
    "Link",
    "LogLine",
    "Project",
    "Provenance",
    "Recovery",
    "Row",
    "RunRecord",
    "Saving",
    "backup_path",
    "clean_name",
    "link_to",
]
