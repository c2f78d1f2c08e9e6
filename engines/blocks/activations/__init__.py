"""Functions between the layers of networks, where those of torch are slow, and networks that are only asked.

* :mod:`.softplus`: log(1 + exp(beta x)) / beta
* :mod:`.frozen_network`: all layers of a network that does not learn any more at once
"""
