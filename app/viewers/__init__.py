"""One widget for each kind of thing a person looks at.

Ask :mod:`app.viewers.registry` which viewers show a type; it imports neither VTK nor pyqtgraph.
"""
