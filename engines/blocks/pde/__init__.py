"""What the methods for partial differential equations share.

* :mod:`.equations`: a problem as its text says it, compiled: derivatives that it needs, residuals, conditions
* :mod:`.forms`: how the weights of a solution become values
"""
