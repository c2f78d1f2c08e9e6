"""What the methods for partial differential equations share.

* :mod:`.equations`: a problem as its text says it, compiled: derivatives that it needs, residuals, conditions
  (:mod:`.vocabulary`: what names mean; :mod:`.conditions`: what holds at the faces)
* :mod:`.collocation`: points of boxes and faces at which equations are to hold
* :mod:`.derivatives`: of networks, by closed forms through their layers or by automatic differentiation
* :mod:`.gaussian_features`, :mod:`.mlp`: networks with derivatives in closed form
* :mod:`.training`: Adam and L-BFGS over one flat tensor of parameters (:mod:`.parameters`), resumable after each step
* :mod:`.residual_loss`, :mod:`.physics_informed`: what such training minimises, shows and remembers
* :mod:`.residual_field`: what a solution leaves over of its equations, on a grid
* :mod:`.siren`, :mod:`.siren_taylor`: networks of sines with derivatives in closed form, of any order
* :mod:`.time_stepping`: marching in time with one set of weights for each step; :mod:`.fitting`: one part of a step
* :mod:`.evolution`: u_t = N[u] made ready for that; :mod:`.grid_reading`: fields on grids to start from
* :mod:`.elastic_energies`, :mod:`.contact`, :mod:`.moving_bodies`: what elastic bodies minimise in each step
* :mod:`.spectral_kernels`, :mod:`.kronecker`: Gaussian processes on tensor grids
* :mod:`.differentiation`, :mod:`.tensor_grid`: Chebyshev, Fourier and differences, and a problem on such nodes
* :mod:`.grids`: nodes of boxes, and fields made of values at them
* :mod:`.forms`: how the weights of a solution become values; :mod:`.sampled_solution`, :mod:`.resampling`: on grids
* :mod:`.field_metrics`, :mod:`.comparison`: how far a field is from the truth, or from another
"""
