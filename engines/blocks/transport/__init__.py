"""What the methods for optimal transport share. Everything is float64 unless a caller asks otherwise.

* :mod:`.costs`: ground costs between points, all pairs or in pairs, differentiable
* :mod:`.posing`: two measures, or a cost matrix, made into a problem: costs, weights, scale; and its plan given back
* :mod:`.sinkhorn`: entropic transport by scaling, on a kernel that is kept or made anew; both conventions of ε
* :mod:`.divergence`: entropic costs and Sinkhorn divergence between clouds, with gradients by the envelope theorem
* :mod:`.exact`: the linear programme, by network simplex
* :mod:`.interpolation`: where the mass of a coupling is between its start and its end
* :mod:`.scores`: what a coupling costs and how well it keeps its weights; distances between samples
* :mod:`.maps`: how the weights of a transport map become T; :mod:`.bures`: the map between Gaussians
* :mod:`.monge_gap`, :mod:`.batch_sinkhorn`: whether a map is optimal, and how it learns to be; :mod:`.map_scores`
* :mod:`.k_simplex`, :mod:`.k_sparse_dual`: vectors with at most k entries, and the dual of transport by such columns
* :mod:`.barycentric`: where the mass of each source goes on average
* :mod:`.largest`: the largest entries of each column of a matrix, in one pass
"""
