"""Functions between the layers of networks, where those of torch are slow.

* :mod:`.softplus`: log(1 + exp(beta x)) / beta
"""
