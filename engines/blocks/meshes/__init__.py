"""Triangle meshes in torch, for methods that learn them from pictures.

* :mod:`.rasterising`: which triangle each pixel shows and where in it, and attributes at the pixels
  (:mod:`.compiled`: the fast way; :mod:`.rasterising_twin`: the plain one)
"""
