"""What hand avatars are made of.

* :mod:`.refinement`: a rigged template with a finer surface
* :mod:`.wrinkled_skin`: a hand that is known by formula, to measure on
"""
