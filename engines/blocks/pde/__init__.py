"""What the methods for partial differential equations share.

* :mod:`.equations`: a problem as its text says it, compiled: derivatives that it needs, residuals, conditions
* :mod:`.collocation`: points of boxes and faces at which equations are to hold
* :mod:`.derivatives`: of networks, by closed forms through their layers or by automatic differentiation
* :mod:`.gaussian_features`, :mod:`.mlp`: networks with derivatives in closed form
* :mod:`.training`: Adam and L-BFGS over one flat tensor of parameters (:mod:`.parameters`), resumable after each step
* :mod:`.siren`, :mod:`.siren_taylor`: networks of sines with derivatives in closed form, of any order
* :mod:`.time_stepping`: marching in time with one set of weights for each step; :mod:`.fitting`: one part of a step
* :mod:`.evolution`: u_t = N[u] made ready for that; :mod:`.grid_reading`: fields on grids to start from
* :mod:`.elastic_energies`, :mod:`.contact`, :mod:`.moving_bodies`: what elastic bodies minimise in each step
* :mod:`.forms`: how the weights of a solution become values
"""
