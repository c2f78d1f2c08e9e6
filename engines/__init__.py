"""What computes: contract, data, files, shared mathematics and the methods. Knows no window."""
