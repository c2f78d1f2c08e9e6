"""What hand avatars are made of.

* :mod:`.refinement`: a rigged template with a finer surface
* :mod:`.wrinkled_skin`: a hand that is known by formula, to measure on
* :mod:`.embedding`: what each vertex is like in a pose, as it is learned
* :mod:`.drawing`: what the pixels of a picture show of a posed surface, and its shading
* :mod:`.renderer`: the colour of a pixel by a network
* :mod:`.avatar`: all of it, learning or live
* :mod:`.hand_poses`, :mod:`.key_poses`: poses as a person thinks of them, and motion between a few
* :mod:`.losses`: what its training minimises
"""
