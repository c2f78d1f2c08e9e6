// Sums of exponentials exp(M C) V on a GPU, and their derivatives: the counterpart of gaussian_sums.py, which compiles it
// at run time with the sizes Q (monomials of a point) and K (columns).
//
// No exponential is ever stored. Forward a thread owns a point and meets all Gaussians of its part; backward a thread owns
// a Gaussian and meets all points of its part. The other side passes through shared memory, a tile at a time. Parts are
// added up afterwards, always in the same order, so the result is the same, bit for bit, each time.
//
// Arrays are float64, contiguous, on the device.

#define KERNEL extern "C" __global__ void __launch_bounds__(256)

constexpr int kThreads = 256, kTile = 32;

// sums (parts, channels, points, K) from monomials (points, Q), coefficients (channels, Q, count), columns (channels,
// count, K). Grid: points / 256, channels, parts.
KERNEL sums(const double* monomials, const double* coefficients, const double* columns, double* found, int points,
            int count) {
    __shared__ double shared_powers[kTile * Q];
    __shared__ double shared_columns[kTile * K];
    const int point = blockIdx.x * kThreads + threadIdx.x, channel = blockIdx.y, parts = gridDim.z;
    const int first = static_cast<int>(static_cast<long long>(count) * blockIdx.z / parts);
    const int last = static_cast<int>(static_cast<long long>(count) * (blockIdx.z + 1) / parts);
    const double* C = coefficients + static_cast<long long>(channel) * Q * count;
    const double* V = columns + static_cast<long long>(channel) * K * count;
    double own[Q], sum[K];
#pragma unroll
    for (int q = 0; q < Q; ++q) own[q] = point < points ? monomials[static_cast<long long>(point) * Q + q] : 0.0;
#pragma unroll
    for (int k = 0; k < K; ++k) sum[k] = 0.0;
    for (int start = first; start < last; start += kTile) {
        const int size = min(kTile, last - start);
        __syncthreads();
        for (int i = threadIdx.x; i < size * Q; i += kThreads) {
            const int q = i / size, g = i - q * size;
            shared_powers[g * Q + q] = C[static_cast<long long>(q) * count + start + g];
        }
        for (int i = threadIdx.x; i < size * K; i += kThreads)
            shared_columns[i] = V[static_cast<long long>(start) * K + i];
        __syncthreads();
        for (int g = 0; g < size; ++g) {
            double power = 0.0;
#pragma unroll
            for (int q = 0; q < Q; ++q) power = fma(own[q], shared_powers[g * Q + q], power);
            const double height = exp(power);
#pragma unroll
            for (int k = 0; k < K; ++k) sum[k] = fma(height, shared_columns[g * K + k], sum[k]);
        }
    }
    if (point < points) {
        double* out = found + ((static_cast<long long>(blockIdx.z) * gridDim.y + channel) * points + point) * K;
#pragma unroll
        for (int k = 0; k < K; ++k) out[k] = sum[k];
    }
}

// Gradients (parts, channels, count, Q + K) of coefficients and columns from those of the sums, upper (channels, points,
// K). Grid: count / 256, channels, parts.
KERNEL slopes(const double* monomials, const double* coefficients, const double* columns, const double* upper,
              double* found, int points, int count) {
    __shared__ double shared_monomials[kTile * Q];
    __shared__ double shared_upper[kTile * K];
    const int gaussian = blockIdx.x * kThreads + threadIdx.x, channel = blockIdx.y, parts = gridDim.z;
    const int first = static_cast<int>(static_cast<long long>(points) * blockIdx.z / parts);
    const int last = static_cast<int>(static_cast<long long>(points) * (blockIdx.z + 1) / parts);
    const bool there = gaussian < count;
    const long long place = static_cast<long long>(channel) * count + gaussian;
    double powers[Q], own[K], of_powers[Q], of_own[K];
#pragma unroll
    for (int q = 0; q < Q; ++q) {
        powers[q] = there ? coefficients[(static_cast<long long>(channel) * Q + q) * count + gaussian] : 0.0;
        of_powers[q] = 0.0;
    }
#pragma unroll
    for (int k = 0; k < K; ++k) {
        own[k] = there ? columns[place * K + k] : 0.0;
        of_own[k] = 0.0;
    }
    for (int start = first; start < last; start += kTile) {
        const int size = min(kTile, last - start);
        __syncthreads();
        for (int i = threadIdx.x; i < size * Q; i += kThreads)
            shared_monomials[i] = monomials[static_cast<long long>(start) * Q + i];
        for (int i = threadIdx.x; i < size * K; i += kThreads)
            shared_upper[i] = upper[(static_cast<long long>(channel) * points + start) * K + i];
        __syncthreads();
        for (int p = 0; p < size; ++p) {
            double power = 0.0, slope = 0.0;
#pragma unroll
            for (int q = 0; q < Q; ++q) power = fma(powers[q], shared_monomials[p * Q + q], power);
            const double height = exp(power);
#pragma unroll
            for (int k = 0; k < K; ++k) {
                slope = fma(own[k], shared_upper[p * K + k], slope);
                of_own[k] = fma(height, shared_upper[p * K + k], of_own[k]);
            }
            slope *= height;
#pragma unroll
            for (int q = 0; q < Q; ++q) of_powers[q] = fma(slope, shared_monomials[p * Q + q], of_powers[q]);
        }
    }
    if (there) {
        double* out = found + ((static_cast<long long>(blockIdx.z) * gridDim.y + channel) * count + gaussian) * (Q + K);
#pragma unroll
        for (int q = 0; q < Q; ++q) out[q] = of_powers[q];
#pragma unroll
        for (int k = 0; k < K; ++k) out[Q + k] = of_own[k];
    }
}
