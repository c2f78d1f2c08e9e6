"""Files of meshes as other programs write them."""

from __future__ import annotations

import numpy as np

from tests.files import made

GMSH_2 = """$MeshFormat
2.2 0 8
$EndMeshFormat
$Nodes
4
7 0 0 0
3 1 0 0
90 0 1 0
5 0 0 1
$EndNodes
$Elements
2
1 15 2 0 1 7
2 4 2 0 1 7 3 90 5
$EndElements
$NodeData
1
"heat"
1
0.0
3
0
1
2
90 4.5
7 1.5
$EndNodeData
"""
GMSH = """$MeshFormat
4.1 0 8
$EndMeshFormat
$Entities
0 0 0 0
$EndEntities
$Nodes
2 4 1 9
2 1 0 3
1
2
9
0 0 0
1 0 0
0 1 0
3 1 0 1
4
0 0 1
$EndNodes
$Elements
2 2 1 2
2 1 2 1
1 1 2 9
3 1 4 1
2 1 2 9 4
$EndElements
"""


def vtk_mesh(folder, name="v.vtu", quads=False):
    """Two tetrahedra with a scalar and a vector at each vertex, or two quadrilaterals in the plane."""
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk

    grid = vtk.vtkUnstructuredGrid()
    places = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]], float)
    cells, kind = [[0, 1, 2, 3], [1, 2, 3, 4]], vtk.VTK_TETRA
    if quads:
        places = np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0], [0, 1, 0], [1, 1, 0], [2, 1, 0]], float)
        cells, kind = [[0, 1, 4, 3], [1, 2, 5, 4]], vtk.VTK_QUAD
    points = vtk.vtkPoints()
    points.SetData(numpy_to_vtk(places, deep=True))
    grid.SetPoints(points)
    for cell in cells:
        ids = vtk.vtkIdList()
        for corner in cell:
            ids.InsertNextId(corner)
        grid.InsertNextCell(kind, ids)
    for label, values in (("heat", np.arange(len(places), dtype=np.float32)), ("flow", places * 2)):
        array = numpy_to_vtk(values, deep=True)
        array.SetName(label)
        grid.GetPointData().AddArray(array)
    writer = vtk.vtkXMLUnstructuredGridWriter() if name.endswith(".vtu") else vtk.vtkUnstructuredGridWriter()
    writer.SetInputData(grid)
    writer.SetFileName(str(folder / name))
    if name.endswith("binary.vtk"):
        writer.SetFileTypeToBinary()
    writer.Write()
    return folder / name


def meshio_mesh(folder, name, **options):
    """The cube of :func:`made.tetrahedra`, as meshio writes it."""
    import meshio

    points, cells = made.tetrahedra()
    values = {"heat": np.arange(27.0)}
    meshio.write(folder / name, meshio.Mesh(points, [("tetra", cells)], point_data=values), **options)
    return folder / name
