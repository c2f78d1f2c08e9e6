"""Triangle meshes in torch, for methods that learn them from pictures.

* :mod:`.rotations`: axis-angle vectors, matrices, and turns about the axes of a joint
* :mod:`.skinning`: linear blend skinning of a rest shape by a tree of joints
* :mod:`.subdivision`: Loop subdivision as sparse matrices, which carry any attribute
* :mod:`.linear_maps`: sparse matrices applied to tensors, quick in both directions
* :mod:`.smoothing`: uniform Laplacians, weights by vertex or by quantile, growth of edges
* :mod:`.normals`: normals at vertices
* :mod:`.rasterising`: which triangle each pixel shows and where in it, attributes at the pixels, smooth silhouettes
  (:mod:`.compiled`: the fast way; :mod:`.rasterising_twin`: the plain one; :mod:`.antialiasing`)
* :mod:`.shading`: Lambertian shading by spherical harmonics of order 2
* :mod:`.encoding`: positional encoding along the directions of an icosahedron
"""
