"""What the methods for partial differential equations share.

* :mod:`.equations`: a problem as its text says it, compiled: derivatives that it needs, residuals, conditions
* :mod:`.collocation`: points of boxes and faces at which equations are to hold
* :mod:`.derivatives`: of networks, by closed forms through their layers or by automatic differentiation
* :mod:`.gaussian_features`, :mod:`.mlp`: networks with derivatives in closed form
* :mod:`.training`: Adam and L-BFGS over one flat tensor of parameters (:mod:`.parameters`), resumable after each step
* :mod:`.forms`: how the weights of a solution become values
"""
