// Rendering of anisotropic Gaussians on a GPU, and its derivative: the counterpart of kernels.cpp, where the formulas are.
//
// A block of 256 threads draws a tile of 16 x 16 pixels. Each of its 8 warps owns a patch of 8 x 4 pixels and leaves out
// the Gaussians whose ellipse q = reach does not touch the patch: 32 of them are tested at once, a lane each. Lists are
// made by two stable sorts, by depth and by tile. Slots of a Gaussian follow each other, in the order of the Gaussians.
// No atomics: a warp adds up what its lanes found of a Gaussian, the block adds up its warps, and then one pass adds up the
// slots of each Gaussian, all in a fixed order. The result is the same, bit for bit, each time.
//
// Compiled at run time for the device at hand (compiler.py); no headers. Arrays are float32, contiguous, on the device.

#define INLINE __device__ __forceinline__
#define KERNEL extern "C" __global__ void __launch_bounds__(256)

constexpr int kTile = 16, kThreads = 256, kWarps = 8, kPatchWidth = 8, kPatchHeight = 4;
constexpr unsigned kAll = 0xffffffffu;
constexpr float kLeastAlpha = 1.0f / 255.0f, kMostAlpha = 0.99f, kLeastTransmittance = 1e-4f;
constexpr float kLog2E = 1.44269504088896f, kLog2Of255 = 7.99435343685886f;

#ifdef __CUDA_ARCH__
INLINE float power_of_2(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}
INLINE float inverse(float x) {
    float y;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}
#else  // where the tests run this file on a CPU
INLINE float power_of_2(float x) { return exp2f(x); }
INLINE float inverse(float x) { return 1.0f / x; }
#endif

INLINE bool finite(float x) { return (__float_as_uint(x) & 0x7f800000u) != 0x7f800000u; }
INLINE float clamped(float x, float low, float high) { return fminf(fmaxf(x, low), high); }
INLINE float dot3(const float* u, const float* v) { return u[0] * v[0] + u[1] * v[1] + u[2] * v[2]; }
INLINE float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

// ---- lists of the tiles -----------------------------------------------------------------------------------------

// The ellipse q = reach, on which alpha falls to 1/255. Half width -1: nothing to be seen.
struct Extent {
    float reach, half_width, half_height;
};

INLINE Extent extent(const float* conic, float opacity) {
    const float a = conic[0], b = conic[1], c = conic[2];
    const float det = fmaf(a, c, -(b * b));
    const float reach = 2.0f * logf(255.0f * opacity);
    if (!(det > 0.0f) || !(a > 0.0f) || !(reach > 0.0f)) return {0.0f, -1.0f, -1.0f};
    return {reach, sqrtf(reach * c / det), sqrtf(reach * a / det)};
}

INLINE int tile_at(float pixel) { return static_cast<int>(floorf(clamped(pixel / kTile, -1.0f, 1e6f))); }

// Calls visit(tile) for each tile that the ellipse touches, in the order of the tiles. Two kernels do this and must find
// the same tiles: every fmaf is written out here, so that the compiler has no choice of how to round.
template <class Visit>
INLINE void each_tile(const float* mean, const float* conic, const Extent& e, int across, int down, Visit visit) {
    const int top = max(0, tile_at(mean[1] - e.half_height)), bottom = min(down - 1, tile_at(mean[1] + e.half_height));
    const float a = conic[0], b = conic[1], c = conic[2];
    // The ellipse is furthest right where dx = half_width, at dy = -b/c dx; rows beside that are bounded by its edge.
    const float right_dy = -b / c * e.half_width;
    for (int row = top; row <= bottom; ++row) {
        const float low = fmaf(static_cast<float>(row), static_cast<float>(kTile), -mean[1]), high = low + kTile;
        const auto edge = [&](float dy, float side) {
            const float root = fmaf(b * dy, b * dy, -a * fmaf(c * dy, dy, -e.reach));
            return fmaf(side, sqrtf(fmaxf(root, 0.0f)), -b * dy) / a;
        };
        const float from = fmaxf(low, -e.half_height), to = fmaxf(from, fminf(high, e.half_height));
        const int begin = max(0, tile_at(mean[0] + edge(clamped(-right_dy, from, to), -1.0f)));
        const int end = min(across - 1, tile_at(mean[0] + edge(clamped(right_dy, from, to), 1.0f)));
        for (int column = begin; column <= end; ++column) visit(row * across + column);
    }
}

// What a pixel needs of a Gaussian, in vectors of 4: x, y, A, B, D, log2(opacity), features, where
// q log2(e) / 2 = A dx^2 + B dx dy + D dy^2.
template <int C>
constexpr int kVectors = (6 + C + 3) / 4;

// How many tiles each of n Gaussians touches, what to sort it by (its depth; infinite if it is not seen), its record.
template <int C>
INLINE void count(long long n, const float* means, const float* conics, const float* opacities, const float* features,
                  const float* depths, int width, int height, int* counts, float* keys, float4* records) {
    const long long i = static_cast<long long>(blockIdx.x) * kThreads + threadIdx.x;
    if (i >= n) return;
    const int across = (width + kTile - 1) / kTile, down = (height + kTile - 1) / kTile;
    const float mean[2] = {means[2 * i], means[2 * i + 1]};
    const float conic[3] = {conics[3 * i], conics[3 * i + 1], conics[3 * i + 2]};
    const float opacity = opacities[i], depth = depths[i];
    int found = 0;
    if (depth > 0.0f) {
        const Extent e = extent(conic, opacity);
        if (e.half_width >= 0.0f) each_tile(mean, conic, e, across, down, [&](int) { ++found; });
    }
    counts[i] = found;
    keys[i] = found ? depth : __uint_as_float(0x7f800000u);
    if (!found) return;
    float record[4 * kVectors<C>] = {mean[0], mean[1], 0.5f * kLog2E * conic[0], kLog2E * conic[1],
                                     0.5f * kLog2E * conic[2], log2f(opacity)};
#pragma unroll
    for (int k = 0; k < C; ++k) record[6 + k] = features[C * i + k];
#pragma unroll
    for (int v = 0; v < kVectors<C>; ++v)
        records[kVectors<C> * i + v] = make_float4(record[4 * v], record[4 * v + 1], record[4 * v + 2], record[4 * v + 3]);
}

// Pairs of tile and Gaussian, in the order of the depths. ends and slot_ends: sums of the counts in that order and in
// the order of the Gaussians; shifts: what leads from a pair's place in the one to its slot in the other.
template <class Tile>
INLINE void emit(long long n, const float* means, const float* conics, const float* opacities, const int* counts,
                 const long long* order, const long long* ends, const long long* slot_ends, int width, int height,
                 Tile* tiles, int* owners, int* shifts) {
    const long long rank = static_cast<long long>(blockIdx.x) * kThreads + threadIdx.x;
    if (rank >= n) return;
    const long long i = order[rank];
    const int count = counts[i];
    if (!count) return;
    const int across = (width + kTile - 1) / kTile, down = (height + kTile - 1) / kTile;
    const float mean[2] = {means[2 * i], means[2 * i + 1]};
    const float conic[3] = {conics[3 * i], conics[3 * i + 1], conics[3 * i + 2]};
    const Extent e = extent(conic, opacities[i]);
    long long at = ends[rank] - count;
    shifts[i] = static_cast<int>(slot_ends[i] - ends[rank]);
    each_tile(mean, conic, e, across, down, [&](int tile) {
        tiles[at] = static_cast<Tile>(tile);
        owners[at++] = static_cast<int>(i);
    });
}

// After the sort by tile: where each tile's pairs begin (tiles + 1), and each pair's Gaussian and slot. places: where
// the pairs were before the sort.
template <class Tile>
INLINE void begin(long long pairs, int count, const Tile* tiles, const long long* places, const int* owners,
                  const int* shifts, int* starts, int* ids, int* slots) {
    const long long k = static_cast<long long>(blockIdx.x) * kThreads + threadIdx.x;
    if (k >= pairs) return;
    const int tile = tiles[k], before = k ? tiles[k - 1] : -1;
    for (int t = before + 1; t <= tile; ++t) starts[t] = static_cast<int>(k);
    if (k == pairs - 1)
        for (int t = tile + 1; t <= count; ++t) starts[t] = static_cast<int>(pairs);
    const int id = owners[places[k]];
    ids[k] = id;
    slots[k] = static_cast<int>(places[k]) + shifts[id];
}

// ---- pixels -----------------------------------------------------------------------------------------------------

template <int Vectors, int Batch>
INLINE float part(const float4 (&batch)[Vectors][Batch], int j, int k) {
    const float4 v = batch[k / 4][j];
    return k % 4 == 0 ? v.x : k % 4 == 1 ? v.y : k % 4 == 2 ? v.z : v.w;
}

// q log2(e) / 2; written out so that it rounds alike in each kernel.
INLINE float power(float A, float B, float D, float dx, float dy) {
    return fmaf(dx, fmaf(A, dx, B * dy), D * dy * dy);
}

// Whether a Gaussian may have an alpha of 1/255 or more at a pixel of the patch with this corner. The least q of a
// rectangle lies at the middle or on one of the two sides that face it.
INLINE bool touches(float4 first, float4 second, float left, float top) {
    const float A = first.z, B = first.w, D = second.x;
    const float x_low = first.x - left - (kPatchWidth - 0.5f), x_high = first.x - left - 0.5f;
    const float y_low = first.y - top - (kPatchHeight - 0.5f), y_high = first.y - top - 0.5f;
    const float dx = clamped(0.0f, x_low, x_high), dy = clamped(0.0f, y_low, y_high);
    const float beside = clamped(__fdividef(-0.5f * B * dx, D), y_low, y_high);
    const float along = clamped(__fdividef(-0.5f * B * dy, A), x_low, x_high);
    const float least = fminf(power(A, B, D, dx, beside), power(A, B, D, along, dy));
    const float rounding = 1e-6f * (A * dx * dx + D * dy * dy) + 1e-3f;
    return least <= second.y + kLog2Of255 + rounding;
}

struct Patch {
    int left, top, x, y;

    INLINE Patch(int across) {
        const int warp = threadIdx.x >> 5, lane = threadIdx.x & 31, tile = blockIdx.x;
        left = tile % across * kTile + (warp & 1) * kPatchWidth;
        top = tile / across * kTile + (warp >> 1) * kPatchHeight;
        x = left + (lane & 7);
        y = top + (lane >> 3);
    }
};

// image (C, H, W), transmittance (H, W), last (H, W): how many of its tile's Gaussians a pixel saw.
template <int C>
INLINE void forward(const float4* records, int width, int height, const int* starts, const int* ids, float* image,
                    float* transmittance, int* last) {
    constexpr int kBatch = kThreads;
    __shared__ float4 batch[kVectors<C>][kBatch];
    const Patch patch((width + kTile - 1) / kTile);
    const int lane = threadIdx.x & 31, begin = starts[blockIdx.x], end = starts[blockIdx.x + 1];
    const float px = patch.x + 0.5f, py = patch.y + 0.5f;
    bool open = patch.x < width && patch.y < height;
    float T = 1.0f, F[C] = {};
    int seen = 0;
    for (int base = begin; base < end; base += kBatch) {
        if (!__syncthreads_or(open)) break;
        const int here = min(kBatch, end - base);
        if (threadIdx.x < here) {
            const float4* record = records + static_cast<long long>(ids[base + threadIdx.x]) * kVectors<C>;
#pragma unroll
            for (int v = 0; v < kVectors<C>; ++v) batch[v][threadIdx.x] = record[v];
        }
        __syncthreads();
        for (int group = 0; group < here; group += 32) {
            if (!__any_sync(kAll, open)) break;
            const int mine = group + lane;
            unsigned reached = __ballot_sync(
                kAll, mine < here && touches(batch[0][mine], batch[1][mine], patch.left, patch.top));
            while (reached) {
                const int j = group + __ffs(reached) - 1;
                reached &= reached - 1;
                const float4 first = batch[0][j], second = batch[1][j];
                const float q = power(first.z, first.w, second.x, first.x - px, first.y - py);
                const float alpha = fminf(kMostAlpha, power_of_2(second.y - q));
                if (!(open && q >= 0.0f && alpha >= kLeastAlpha)) continue;
                const float next = T * (1.0f - alpha);
                if (next < kLeastTransmittance) {
                    open = false;
                    continue;
                }
                const float weight = T * alpha;
#pragma unroll
                for (int k = 0; k < C; ++k) F[k] += weight * part(batch, j, 6 + k);
                T = next;
                seen = base - begin + j + 1;
            }
        }
    }
    if (patch.x >= width || patch.y >= height) return;
    const long long at = static_cast<long long>(patch.y) * width + patch.x, plane = static_cast<long long>(width) * height;
#pragma unroll
    for (int k = 0; k < C; ++k) image[k * plane + at] = F[k];
    transmittance[at] = T;
    last[at] = seen;
}

// K values of 32 lanes: at each of five levels a lane sends half of what it has and takes the rest. See owned().
template <int K, int Offset>
INLINE void add_lanes(float* values) {
    const bool upper = threadIdx.x & Offset;
#pragma unroll
    for (int i = 0; i < K / 2; ++i) {
        const float sent = upper ? values[2 * i] : values[2 * i + 1], kept = upper ? values[2 * i + 1] : values[2 * i];
        values[i] = kept + __shfl_xor_sync(kAll, sent, Offset);
    }
    if (K % 2) values[K / 2] = values[K - 1] + __shfl_xor_sync(kAll, values[K - 1], Offset);
    if constexpr (Offset > 1) add_lanes<(K + 1) / 2, Offset / 2>(values);
}

// The number of the value whose sum this lane holds after add_lanes; -1 where another lane holds the same.
template <int K, int Offset>
INLINE int owned() {
    int place = 0;
    if constexpr (Offset > 1) place = owned<(K + 1) / 2, Offset / 2>();
    if (place < 0) return -1;
    const bool upper = threadIdx.x & Offset;
    if (2 * place + 1 < K) return 2 * place + upper;
    return upper ? -1 : 2 * place;
}

// sums (P, 6 + C), zeros at first: over a tile's pixels, with p = dE/d(-q/2): p, p dx, p dy, p dx^2, p dx dy, p dy^2, and
// the features' derivatives.
template <int C>
INLINE void backward(const float4* records, int width, int height, const int* starts, const int* ids,
                     const int* slots, const float* transmittance, const int* last, const float* d_image,
                     const float* d_transmittance, float* sums) {
    constexpr int kBatch = 64, K = 6 + C;
    static_assert(kVectors<C> * kBatch <= kThreads, "each thread loads at most one vector of a batch");
    __shared__ float4 batch[kVectors<C>][kBatch];
    __shared__ float found[kWarps][kBatch][K];
    __shared__ unsigned reached[kWarps][kBatch / 32];
    __shared__ int most_of[kWarps];
    const Patch patch((width + kTile - 1) / kTile);
    const int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, begin = starts[blockIdx.x];
    const float px = patch.x + 0.5f, py = patch.y + 0.5f;
    const int mine = owned<K, 16>();
    float T = 0.0f, S = 0.0f, D[C] = {};
    int seen = 0;
    if (patch.x < width && patch.y < height) {
        const long long at = static_cast<long long>(patch.y) * width + patch.x;
        const long long plane = static_cast<long long>(width) * height;
        T = transmittance[at];
        S = T * d_transmittance[at];
        seen = last[at];
#pragma unroll
        for (int k = 0; k < C; ++k) D[k] = d_image[k * plane + at];
    }
    int warp_most = seen;
    for (int offset = 16; offset; offset /= 2) warp_most = max(warp_most, __shfl_xor_sync(kAll, warp_most, offset));
    if (lane == 0) most_of[warp] = warp_most;
    __syncthreads();
    int most = 0;
    for (int w = 0; w < kWarps; ++w) most = max(most, most_of[w]);

    for (int stop = most; stop > 0; stop -= kBatch) {
        const int start = max(0, stop - kBatch), here = stop - start;
        {
            const int j = threadIdx.x % kBatch, v = threadIdx.x / kBatch;
            if (v < kVectors<C> && j < here)
                batch[v][j] = records[static_cast<long long>(ids[begin + start + j]) * kVectors<C> + v];
        }
        __syncthreads();
        for (int group = kBatch - 32; group >= 0; group -= 32) {
            unsigned left_over = __ballot_sync(
                kAll, group + lane < here && start + group + lane < warp_most &&
                          touches(batch[0][group + lane], batch[1][group + lane], patch.left, patch.top));
            unsigned written = 0;
            while (left_over) {
                const int bit = 31 - __clz(left_over), j = group + bit;
                left_over ^= 1u << bit;
                const float4 first = batch[0][j], second = batch[1][j];
                const float dx = first.x - px, dy = first.y - py;
                const float q = power(first.z, first.w, second.x, dx, dy), raw = power_of_2(second.y - q);
                const bool counts = q >= 0.0f && raw >= kLeastAlpha && start + j < seen;
                if (!__any_sync(kAll, counts)) continue;
                written |= 1u << bit;
                const float alpha = counts ? fminf(kMostAlpha, raw) : 0.0f, rest = inverse(1.0f - alpha);
                T *= rest;  // now what was left before this one
                const float weight = alpha * T;
                float values[K], along = 0.0f;
#pragma unroll
                for (int k = 0; k < C; ++k) {
                    along += part(batch, j, 6 + k) * D[k];
                    values[6 + k] = weight * D[k];
                }
                const float p = counts && raw <= kMostAlpha ? raw * (T * along - S * rest) : 0.0f;
                S += weight * along;
                values[0] = p;
                values[1] = p * dx;
                values[2] = p * dy;
                values[3] = p * dx * dx;
                values[4] = p * dx * dy;
                values[5] = p * dy * dy;
                add_lanes<K, 16>(values);
                if (mine >= 0) found[warp][j][mine] = values[0];
            }
            if (lane == 0) reached[warp][group / 32] = written;
        }
        __syncthreads();
        for (int at = threadIdx.x; at < here * K; at += kThreads) {
            const int j = at / K, k = at % K;
            float sum = 0.0f;
            bool any = false;
#pragma unroll
            for (int w = 0; w < kWarps; ++w)
                if (reached[w][j / 32] >> (j % 32) & 1) {
                    sum += found[w][j][k];
                    any = true;
                }
            if (any) sums[static_cast<long long>(slots[begin + start + j]) * K + k] = sum;
        }
        __syncthreads();
    }
}

// Adds up the slots of each Gaussian: 16 lanes for one, a lane for each of the 6 + C sums.
template <int C>
INLINE void gather(long long n, const float* conics, const float* opacities, const int* counts,
                   const long long* slot_ends, const float* sums, float* d_means, float* d_conics, float* d_opacities,
                   float* d_features) {
    constexpr int K = 6 + C;
    static_assert(K <= 16, "a lane for each sum");
    const long long i = (static_cast<long long>(blockIdx.x) * kThreads + threadIdx.x) / 16;
    const int k = threadIdx.x % 16;
    const bool there = i < n;
    const int count = there ? counts[i] : 0;
    float sum = 0.0f, second = 0.0f;
    if (count && k < K) {
        const float* from = sums + (slot_ends[i] - count) * K + k;
        int slot = 0;
        for (; slot + 1 < count; slot += 2) {
            sum += from[static_cast<long long>(slot) * K];
            second += from[static_cast<long long>(slot + 1) * K];
        }
        if (slot < count) sum += from[static_cast<long long>(slot) * K];
        sum += second;
    }
    const float sx = __shfl_sync(kAll, sum, 1, 16), sy = __shfl_sync(kAll, sum, 2, 16);
    if (!there || k >= K) return;
    // What touches no tile may have a conic that is not finite: 0 times that is not 0.
    if (k == 0) d_opacities[i] = count ? sum / opacities[i] : 0.0f;
    if (k == 1 || k == 2) d_means[2 * i + k - 1] = count ? -(conics[3 * i + k - 1] * sx + conics[3 * i + k] * sy) : 0.0f;
    if (k == 3) d_conics[3 * i] = -0.5f * sum;
    if (k == 4) d_conics[3 * i + 1] = -sum;
    if (k == 5) d_conics[3 * i + 2] = -0.5f * sum;
    if (k >= 6) d_features[C * i + k - 6] = sum;
}

#define WITH_CHANNELS(C)                                                                                                 \
    KERNEL count_##C(long long n, const float* means, const float* conics, const float* opacities,                       \
                     const float* features, const float* depths, int width, int height, int* counts, float* keys,        \
                     float4* records) {                                                                                  \
        count<C>(n, means, conics, opacities, features, depths, width, height, counts, keys, records);                   \
    }                                                                                                                    \
    KERNEL forward_##C(const float4* records, int width, int height, const int* starts, const int* ids, float* image,    \
                       float* transmittance, int* last) {                                                                \
        forward<C>(records, width, height, starts, ids, image, transmittance, last);                                     \
    }                                                                                                                    \
    KERNEL backward_##C(const float4* records, int width, int height, const int* starts, const int* ids,                 \
                        const int* slots, const float* transmittance, const int* last, const float* d_image,             \
                        const float* d_transmittance, float* sums) {                                                     \
        backward<C>(records, width, height, starts, ids, slots, transmittance, last, d_image, d_transmittance, sums);    \
    }                                                                                                                    \
    KERNEL gather_##C(long long n, const float* conics, const float* opacities, const int* counts,                       \
                      const long long* slot_ends, const float* sums, float* d_means, float* d_conics,                    \
                      float* d_opacities, float* d_features) {                                                           \
        gather<C>(n, conics, opacities, counts, slot_ends, sums, d_means, d_conics, d_opacities, d_features);            \
    }

WITH_CHANNELS(1)
WITH_CHANNELS(3)
WITH_CHANNELS(4)
WITH_CHANNELS(6)
WITH_CHANNELS(7)

#define WITH_TILES(NAME, TILE)                                                                                          \
    KERNEL emit_##NAME(long long n, const float* means, const float* conics, const float* opacities, const int* counts, \
                       const long long* order, const long long* ends, const long long* slot_ends, int width,            \
                       int height, TILE* tiles, int* owners, int* shifts) {                                             \
        emit(n, means, conics, opacities, counts, order, ends, slot_ends, width, height, tiles, owners, shifts);        \
    }                                                                                                                   \
    KERNEL begin_##NAME(long long pairs, int count, const TILE* tiles, const long long* places, const int* owners,      \
                        const int* shifts, int* starts, int* ids, int* slots) {                                         \
        begin(pairs, count, tiles, places, owners, shifts, starts, ids, slots);                                         \
    }

WITH_TILES(16, short)
WITH_TILES(32, int)

// ---- a window of 11 weights along both axes of planes (C, H, W), zeros outside -----------------------------------

constexpr int kWindow = 11, kReach = kWindow / 2, kBlurWidth = 32, kBlurHeight = 16;

constexpr int kWide = kBlurWidth + 2 * kReach, kHigh = kBlurHeight + 2 * kReach;

// A tile of a plane with what lies around it; zeros outside of the plane.
INLINE void load_tile(const float* plane, int left, int top, int width, int height, float (*to)[kWide + 1]) {
    for (int at = threadIdx.x; at < kWide * kHigh; at += kThreads) {
        const int x = left + at % kWide - kReach, y = top + at / kWide - kReach;
        const bool inside = x >= 0 && x < width && y >= 0 && y < height;
        to[at / kWide][at % kWide] = inside ? plane[static_cast<long long>(y) * width + x] : 0.0f;
    }
}

KERNEL blur(const float* planes, float* blurred, int height, int width, const float* weights) {
    __shared__ float in[kHigh][kWide + 1];
    __shared__ float rows[kHigh][kBlurWidth];
    const int left = blockIdx.x * kBlurWidth, top = blockIdx.y * kBlurHeight;
    const long long plane = static_cast<long long>(blockIdx.z) * width * height;
    float w[kWindow];
#pragma unroll
    for (int k = 0; k < kWindow; ++k) w[k] = weights[k];
    load_tile(planes + plane, left, top, width, height, in);
    __syncthreads();
    for (int at = threadIdx.x; at < kBlurWidth * kHigh; at += kThreads) {
        float sum = 0.0f;
#pragma unroll
        for (int k = 0; k < kWindow; ++k) sum += w[k] * in[at / kBlurWidth][at % kBlurWidth + k];
        rows[at / kBlurWidth][at % kBlurWidth] = sum;
    }
    __syncthreads();
    for (int at = threadIdx.x; at < kBlurWidth * kBlurHeight; at += kThreads) {
        const int x = at % kBlurWidth, y = at / kBlurWidth;
        if (left + x >= width || top + y >= height) continue;
        float sum = 0.0f;
#pragma unroll
        for (int k = 0; k < kWindow; ++k) sum += w[k] * rows[y + k][x];
        blurred[plane + static_cast<long long>(top + y) * width + left + x] = sum;
    }
}

// ---- structural similarity: image_metrics.py has the formula ------------------------------------------------------

// sums: of the similarity over each block's pixels. slopes (3, C, H, W), where wanted: its derivatives by the blurred
// image, by its blurred square, and by its blurred product with the truth.
KERNEL ssim(const float* image, const float* truth, int height, int width, int planes, const float* weights, float* sums,
            float* slopes, int wanted) {
    constexpr float kC1 = 0.01f * 0.01f, kC2 = 0.03f * 0.03f;
    __shared__ float x_in[kHigh][kWide + 1], y_in[kHigh][kWide + 1];
    __shared__ float rows[5][kHigh][kBlurWidth];
    __shared__ float of_warp[kWarps];
    const int left = blockIdx.x * kBlurWidth, top = blockIdx.y * kBlurHeight;
    const long long size = static_cast<long long>(width) * height, plane = blockIdx.z * size;
    float w[kWindow];
#pragma unroll
    for (int k = 0; k < kWindow; ++k) w[k] = weights[k];
    load_tile(image + plane, left, top, width, height, x_in);
    load_tile(truth + plane, left, top, width, height, y_in);
    __syncthreads();
    for (int at = threadIdx.x; at < kBlurWidth * kHigh; at += kThreads) {
        const int column = at % kBlurWidth, row = at / kBlurWidth;
        float sum[5] = {};
#pragma unroll
        for (int k = 0; k < kWindow; ++k) {
            const float x = x_in[row][column + k], y = y_in[row][column + k], wx = w[k] * x, wy = w[k] * y;
            sum[0] += wx;
            sum[1] += wy;
            sum[2] += wx * x;
            sum[3] += wy * y;
            sum[4] += wx * y;
        }
#pragma unroll
        for (int i = 0; i < 5; ++i) rows[i][row][column] = sum[i];
    }
    __syncthreads();
    float total = 0.0f;
    for (int at = threadIdx.x; at < kBlurWidth * kBlurHeight; at += kThreads) {
        const int column = at % kBlurWidth, row = at / kBlurWidth, x = left + column, y = top + row;
        if (x >= width || y >= height) continue;
        float mean[5] = {};
#pragma unroll
        for (int k = 0; k < kWindow; ++k)
#pragma unroll
            for (int i = 0; i < 5; ++i) mean[i] += w[k] * rows[i][row + k][column];
        const float cross = mean[0] * mean[1], squares = mean[0] * mean[0] + mean[1] * mean[1];
        const float t1 = 2.0f * cross + kC1, t2 = 2.0f * (mean[4] - cross) + kC2;
        const float b1 = squares + kC1, b2 = mean[2] + mean[3] - squares + kC2;
        const float both = 1.0f / (b1 * b2), value = t1 * t2 * both;
        total += value;
        if (!wanted) continue;
        const long long to = plane + static_cast<long long>(y) * width + x, all = planes * size;
        slopes[to] = 2.0f * mean[1] * (t2 - t1) * both - 2.0f * mean[0] * value * (1.0f / b1 - 1.0f / b2);
        slopes[all + to] = -value / b2;
        slopes[2 * all + to] = 2.0f * t1 * both;
    }
    for (int offset = 16; offset; offset /= 2) total += __shfl_xor_sync(kAll, total, offset);
    if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = total;
    __syncthreads();
    if (threadIdx.x) return;
    for (int k = 1; k < kWarps; ++k) total += of_warp[k];
    sums[(blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x] = total;
}

// d_image = scale (blur(slope 0) + 2 image blur(slope 1) + truth blur(slope 2)): the window is its own adjoint.
KERNEL ssim_backward(const float* image, const float* truth, const float* slopes, int height, int width, int planes,
                     const float* weights, const float* scale, float* d_image) {
    __shared__ float in[3][kHigh][kWide + 1];
    __shared__ float rows[3][kHigh][kBlurWidth];
    const int left = blockIdx.x * kBlurWidth, top = blockIdx.y * kBlurHeight;
    const long long size = static_cast<long long>(width) * height, plane = blockIdx.z * size;
    float w[kWindow];
#pragma unroll
    for (int k = 0; k < kWindow; ++k) w[k] = weights[k];
    for (int i = 0; i < 3; ++i) load_tile(slopes + i * planes * size + plane, left, top, width, height, in[i]);
    __syncthreads();
    for (int at = threadIdx.x; at < kBlurWidth * kHigh; at += kThreads) {
        const int column = at % kBlurWidth, row = at / kBlurWidth;
        float sum[3] = {};
#pragma unroll
        for (int k = 0; k < kWindow; ++k)
#pragma unroll
            for (int i = 0; i < 3; ++i) sum[i] += w[k] * in[i][row][column + k];
#pragma unroll
        for (int i = 0; i < 3; ++i) rows[i][row][column] = sum[i];
    }
    __syncthreads();
    for (int at = threadIdx.x; at < kBlurWidth * kBlurHeight; at += kThreads) {
        const int column = at % kBlurWidth, row = at / kBlurWidth, x = left + column, y = top + row;
        if (x >= width || y >= height) continue;
        float sum[3] = {};
#pragma unroll
        for (int k = 0; k < kWindow; ++k)
#pragma unroll
            for (int i = 0; i < 3; ++i) sum[i] += w[k] * rows[i][row + k][column];
        const long long to = plane + static_cast<long long>(y) * width + x;
        d_image[to] = *scale * (sum[0] + 2.0f * image[to] * sum[1] + truth[to] * sum[2]);
    }
}

// ---- projection -------------------------------------------------------------------------------------------------

struct Camera {
    float R[9], t[3];      // world to camera
    float fx, fy, cx, cy;  // pixels
    float width, height, near, blur;
    int anti_aliased;
};

constexpr float kC0 = 0.28209479177387814f, kC1 = 0.4886025119029199f, kLeastCompensation = 2.5e-5f;

// Real spherical harmonics with the Condon-Shortley phase at a unit vector, and their derivatives by x, y, z.
INLINE void harmonics(int degree, float x, float y, float z, float* Y, float (*dY)[3]) {
    constexpr float kC2[5] = {1.0925484305920792f, -1.0925484305920792f, 0.31539156525252005f, -1.0925484305920792f,
                              0.5462742152960396f};
    constexpr float kC3[7] = {-0.5900435899266435f, 2.890611442640554f, -0.4570457994644658f, 0.3731763325901154f,
                              -0.4570457994644658f, 1.445305721320277f, -0.5900435899266435f};
    const auto set = [&](int k, float value, float dx, float dy, float dz) {
        Y[k] = value;
        dY[k][0] = dx;
        dY[k][1] = dy;
        dY[k][2] = dz;
    };
    set(0, kC0, 0, 0, 0);
    if (degree < 1) return;
    set(1, -kC1 * y, 0, -kC1, 0);
    set(2, kC1 * z, 0, 0, kC1);
    set(3, -kC1 * x, -kC1, 0, 0);
    if (degree < 2) return;
    const float xx = x * x, yy = y * y, zz = z * z;
    set(4, kC2[0] * x * y, kC2[0] * y, kC2[0] * x, 0);
    set(5, kC2[1] * y * z, 0, kC2[1] * z, kC2[1] * y);
    set(6, kC2[2] * (2 * zz - xx - yy), -2 * kC2[2] * x, -2 * kC2[2] * y, 4 * kC2[2] * z);
    set(7, kC2[3] * x * z, kC2[3] * z, 0, kC2[3] * x);
    set(8, kC2[4] * (xx - yy), 2 * kC2[4] * x, -2 * kC2[4] * y, 0);
    if (degree < 3) return;
    set(9, kC3[0] * y * (3 * xx - yy), kC3[0] * 6 * x * y, kC3[0] * 3 * (xx - yy), 0);
    set(10, kC3[1] * x * y * z, kC3[1] * y * z, kC3[1] * x * z, kC3[1] * x * y);
    set(11, kC3[2] * y * (4 * zz - xx - yy), -2 * kC3[2] * x * y, kC3[2] * (4 * zz - xx - 3 * yy), 8 * kC3[2] * y * z);
    set(12, kC3[3] * z * (2 * zz - 3 * xx - 3 * yy), -6 * kC3[3] * x * z, -6 * kC3[3] * y * z,
        kC3[3] * (6 * zz - 3 * xx - 3 * yy));
    set(13, kC3[4] * x * (4 * zz - xx - yy), kC3[4] * (4 * zz - 3 * xx - yy), -2 * kC3[4] * x * y, 8 * kC3[4] * x * z);
    set(14, kC3[5] * z * (xx - yy), 2 * kC3[5] * x * z, -2 * kC3[5] * y * z, kC3[5] * (xx - yy));
    set(15, kC3[6] * x * (xx - 3 * yy), kC3[6] * 3 * (xx - yy), -6 * kC3[6] * x * y, 0);
}

// What both directions need of one Gaussian.
struct Projected {
    float p[3];  // in the camera's frame
    float inverse_z, limited[2];
    bool inside[2];             // the slope was not limited
    float q[4], norm;           // unit quaternion w, x, y, z, and the length it had
    float A[9], scales[3];      // A = R(q) diag(s)
    float M[6], B[6];           // M = J W, B = M A
    float xx, xy, yy, det, det_sharp, compensation;
    float offset[3], distance;  // unit vector from the camera's centre, and how far
};

// False when the Gaussian is not before the camera, or not finite.
INLINE bool project_one(const Camera& cam, const float* mean, const float* quaternion, const float* log_scale,
                        Projected& o) {
    for (int i = 0; i < 3; ++i) o.p[i] = dot3(cam.R + 3 * i, mean) + cam.t[i];
    bool good = finite(o.p[0]) && finite(o.p[1]) && finite(o.p[2]) && o.p[2] > cam.near;
    for (int i = 0; i < 3; ++i) good = good && finite(log_scale[i]) && log_scale[i] < 40.0f;
    o.norm = sqrtf(quaternion[0] * quaternion[0] + dot3(quaternion + 1, quaternion + 1));
    if (!good || !finite(o.norm) || !(o.norm > 0.0f)) return false;
    for (int i = 0; i < 4; ++i) o.q[i] = quaternion[i] / o.norm;
    const float w = o.q[0], x = o.q[1], y = o.q[2], z = o.q[3];
    const float R[9] = {1 - 2 * (y * y + z * z), 2 * (x * y - w * z),     2 * (x * z + w * y),
                        2 * (x * y + w * z),     1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
                        2 * (x * z - w * y),     2 * (y * z + w * x),     1 - 2 * (x * x + y * y)};
    for (int k = 0; k < 3; ++k) o.scales[k] = expf(log_scale[k]);
    for (int i = 0; i < 9; ++i) o.A[i] = R[i] * o.scales[i % 3];
    o.inverse_z = 1.0f / o.p[2];
    // The affine approximation fails far outside of the view: its slope is limited there.
    const float reach[2] = {0.15f * cam.width / cam.fx, 0.15f * cam.height / cam.fy};
    const float low[2] = {-cam.cx / cam.fx - reach[0], -cam.cy / cam.fy - reach[1]};
    const float high[2] = {(cam.width - cam.cx) / cam.fx + reach[0], (cam.height - cam.cy) / cam.fy + reach[1]};
    for (int i = 0; i < 2; ++i) {
        const float slope = o.p[i] * o.inverse_z;
        o.limited[i] = clamped(slope, low[i], high[i]);
        o.inside[i] = o.limited[i] == slope;
    }
    const float along = cam.fx * o.inverse_z, across = cam.fy * o.inverse_z;
    for (int k = 0; k < 3; ++k) {
        o.M[k] = along * (cam.R[k] - o.limited[0] * cam.R[6 + k]);
        o.M[3 + k] = across * (cam.R[3 + k] - o.limited[1] * cam.R[6 + k]);
    }
    for (int k = 0; k < 3; ++k) {
        o.B[k] = o.M[0] * o.A[k] + o.M[1] * o.A[3 + k] + o.M[2] * o.A[6 + k];
        o.B[3 + k] = o.M[3] * o.A[k] + o.M[4] * o.A[3 + k] + o.M[5] * o.A[6 + k];
    }
    const float sharp_xx = dot3(o.B, o.B), sharp_yy = dot3(o.B + 3, o.B + 3);
    o.xy = dot3(o.B, o.B + 3);
    o.xx = sharp_xx + cam.blur;
    o.yy = sharp_yy + cam.blur;
    o.det_sharp = sharp_xx * sharp_yy - o.xy * o.xy;
    o.det = o.xx * o.yy - o.xy * o.xy;
    if (!finite(o.det) || !(o.det > 0.0f)) return false;
    o.compensation = cam.anti_aliased ? sqrtf(fmaxf(o.det_sharp / o.det, kLeastCompensation)) : 1.0f;
    for (int i = 0; i < 3; ++i)  // the camera's centre is -R^T t
        o.offset[i] = mean[i] + cam.R[i] * cam.t[0] + cam.R[3 + i] * cam.t[1] + cam.R[6 + i] * cam.t[2];
    o.distance = sqrtf(dot3(o.offset, o.offset));
    for (int i = 0; i < 3; ++i) o.offset[i] /= fmaxf(o.distance, 1e-20f);
    return true;
}

// Four harmonics' coefficients at a time; in vectors where each row of them begins at a multiple of 16 bytes.
INLINE void load_four(const float* sh, int first, int coefficients, float* k) {
    if (coefficients % 4 == 0) {
        const float4* from = reinterpret_cast<const float4*>(sh + 3 * first);
#pragma unroll
        for (int v = 0; v < 3; ++v) {
            const float4 four = from[v];
            k[4 * v] = four.x;
            k[4 * v + 1] = four.y;
            k[4 * v + 2] = four.z;
            k[4 * v + 3] = four.w;
        }
        return;
    }
#pragma unroll
    for (int m = 0; m < 12; ++m) k[m] = 3 * first + m < 3 * coefficients ? sh[3 * first + m] : 0.0f;
}

INLINE void store_four(float* sh, int first, int coefficients, const float* k) {
    if (coefficients % 4 == 0) {
        float4* to = reinterpret_cast<float4*>(sh + 3 * first);
#pragma unroll
        for (int v = 0; v < 3; ++v) to[v] = make_float4(k[4 * v], k[4 * v + 1], k[4 * v + 2], k[4 * v + 3]);
        return;
    }
#pragma unroll
    for (int m = 0; m < 12; ++m)
        if (3 * first + m < 3 * coefficients) sh[3 * first + m] = k[m];
}

KERNEL project(long long n, const float* means, const float* quaternions, const float* log_scales,
               const float* opacity_logits, const float* sh, int coefficients, int degree, Camera cam, float* means_2d,
               float* conics, float* opacities, float* colours, float* depths) {
    const long long i = static_cast<long long>(blockIdx.x) * kThreads + threadIdx.x;
    if (i >= n) return;
    Projected o;
    const float logit = opacity_logits[i];
    const bool seen = finite(logit) && project_one(cam, means + 3 * i, quaternions + 4 * i, log_scales + 3 * i, o);
    float mean[2] = {}, conic[3] = {}, colour[3] = {}, depth = 0.0f, opacity = 0.0f;
    if (seen) {
        depth = o.p[2];
        mean[0] = cam.fx * o.p[0] * o.inverse_z + cam.cx;
        mean[1] = cam.fy * o.p[1] * o.inverse_z + cam.cy;
        conic[0] = o.yy / o.det;
        conic[1] = -o.xy / o.det;
        conic[2] = o.xx / o.det;
        opacity = sigmoid(logit) * o.compensation;
        float Y[16], dY[16][3], sum[3] = {0.5f, 0.5f, 0.5f};
        harmonics(degree, o.offset[0], o.offset[1], o.offset[2], Y, dY);
        const int used = (degree + 1) * (degree + 1);
#pragma unroll
        for (int first = 0; first < 16; first += 4) {
            if (first >= used) break;
            float k[12];
            load_four(sh + 3ll * coefficients * i, first, coefficients, k);
#pragma unroll
            for (int m = 0; m < 4; ++m)
                if (first + m < used)
                    for (int c = 0; c < 3; ++c) sum[c] += Y[first + m] * k[3 * m + c];
        }
        for (int c = 0; c < 3; ++c) colour[c] = fmaxf(0.0f, sum[c]);
    }
    for (int c = 0; c < 2; ++c) means_2d[2 * i + c] = mean[c];
    for (int c = 0; c < 3; ++c) {
        conics[3 * i + c] = conic[c];
        colours[3 * i + c] = colour[c];
    }
    depths[i] = depth;
    opacities[i] = opacity;
}

KERNEL project_backward(long long n, const float* means, const float* quaternions, const float* log_scales,
                        const float* opacity_logits, const float* sh, int coefficients, int degree, Camera cam,
                        const float* depths, const float* d_means_2d, const float* d_conics, const float* d_opacities,
                        const float* d_colours, const float* d_depths, float* d_means, float* d_quaternions,
                        float* d_log_scales, float* d_opacity_logits, float* d_sh) {
    const long long i = static_cast<long long>(blockIdx.x) * kThreads + threadIdx.x;
    if (i >= n) return;
    float d_mean[3] = {}, d_quaternion[4] = {}, d_log_scale[3] = {}, d_logit = 0.0f;
    float Y[16], dY[16][3], d_colour[3] = {};
    int used = 0;
    Projected o;
    if (depths[i] > 0.0f && project_one(cam, means + 3 * i, quaternions + 4 * i, log_scales + 3 * i, o)) {
        used = (degree + 1) * (degree + 1);
        float dp[3] = {0.0f, 0.0f, d_depths[i]}, d_offset[3] = {}, sum[3] = {0.5f, 0.5f, 0.5f};

        // Colour and opacity. What the direction does to each colour is kept until the sign of the sum is known.
        float d_direction[3][3] = {};
        harmonics(degree, o.offset[0], o.offset[1], o.offset[2], Y, dY);
#pragma unroll
        for (int first = 0; first < 16; first += 4) {
            if (first >= used) break;
            float k[12];
            load_four(sh + 3ll * coefficients * i, first, coefficients, k);
#pragma unroll
            for (int m = 0; m < 4; ++m)
                if (first + m < used)
                    for (int c = 0; c < 3; ++c) {
                        sum[c] += Y[first + m] * k[3 * m + c];
                        for (int axis = 0; axis < 3; ++axis) d_direction[c][axis] += k[3 * m + c] * dY[first + m][axis];
                    }
        }
        for (int c = 0; c < 3; ++c) {
            d_colour[c] = sum[c] > 0.0f ? d_colours[3 * i + c] : 0.0f;
            for (int axis = 0; axis < 3; ++axis) d_offset[axis] += d_colour[c] * d_direction[c][axis];
        }
        const float radial = dot3(d_offset, o.offset);
        for (int a = 0; a < 3; ++a) d_mean[a] = (d_offset[a] - radial * o.offset[a]) / fmaxf(o.distance, 1e-20f);
        const float opacity = sigmoid(opacity_logits[i]);
        d_logit = d_opacities[i] * o.compensation * opacity * (1.0f - opacity);

        // Conic = inverse of the covariance C: dC = -C^-1 dQ C^-1; xy stands for two entries.
        const float a = o.yy / o.det, b = -o.xy / o.det, c = o.xx / o.det;
        const float da = d_conics[3 * i], db = 0.5f * d_conics[3 * i + 1], dc = d_conics[3 * i + 2];
        float d_xx = -(a * a * da + 2 * a * b * db + b * b * dc);
        float d_xy = -2.0f * (a * b * da + (a * c + b * b) * db + b * c * dc);
        float d_yy = -(b * b * da + 2 * b * c * db + c * c * dc);
        if (cam.anti_aliased && o.det_sharp / o.det > kLeastCompensation) {
            const float d_ratio = d_opacities[i] * opacity / (2.0f * o.compensation);
            const float d_sharp = d_ratio / o.det, d_det = -d_ratio * o.det_sharp / (o.det * o.det);
            d_xx += d_sharp * (o.yy - cam.blur) + d_det * o.yy;
            d_yy += d_sharp * (o.xx - cam.blur) + d_det * o.xx;
            d_xy -= 2.0f * o.xy * (d_sharp + d_det);
        }
        // C = B B^T + blur, B = M A, A = R diag(s), M = J W.
        float dB[6], dM[6], dA[9];
        for (int j = 0; j < 3; ++j) {
            dB[j] = 2 * d_xx * o.B[j] + d_xy * o.B[3 + j];
            dB[3 + j] = d_xy * o.B[j] + 2 * d_yy * o.B[3 + j];
        }
        for (int r = 0; r < 3; ++r)
            for (int j = 0; j < 3; ++j) dA[3 * r + j] = o.M[r] * dB[j] + o.M[3 + r] * dB[3 + j];
        for (int r = 0; r < 3; ++r) {
            dM[r] = dot3(dB, o.A + 3 * r);
            dM[3 + r] = dot3(dB + 3, o.A + 3 * r);
        }
        for (int j = 0; j < 3; ++j) {
            d_log_scale[j] = dA[j] * o.A[j] + dA[3 + j] * o.A[3 + j] + dA[6 + j] * o.A[6 + j];
            for (int r = 0; r < 3; ++r) dA[3 * r + j] *= o.scales[j];  // now by R
        }
        const float w = o.q[0], x = o.q[1], y = o.q[2], z = o.q[3];
        const float* g = dA;
        const float dq[4] = {2 * (x * (g[7] - g[5]) + y * (g[2] - g[6]) + z * (g[3] - g[1])),
                             2 * (y * (g[1] + g[3]) + z * (g[2] + g[6]) + w * (g[7] - g[5]) - 2 * x * (g[4] + g[8])),
                             2 * (x * (g[1] + g[3]) + z * (g[5] + g[7]) + w * (g[2] - g[6]) - 2 * y * (g[0] + g[8])),
                             2 * (x * (g[2] + g[6]) + y * (g[5] + g[7]) + w * (g[3] - g[1]) - 2 * z * (g[0] + g[4]))};
        const float along_q = o.q[0] * dq[0] + dot3(o.q + 1, dq + 1);
        for (int j = 0; j < 4; ++j) d_quaternion[j] = (dq[j] - along_q * o.q[j]) / o.norm;

        // J's first column of row i is f / z, its last -f slope / z; where the slope is limited it does not move.
        const float focal[2] = {cam.fx, cam.fy};
        for (int r = 0; r < 2; ++r) {
            const float iz = o.inverse_z, f = focal[r], slope = o.p[r] * iz;
            const float d_first = dot3(dM + 3 * r, cam.R + 3 * r), d_last = dot3(dM + 3 * r, cam.R + 6);
            dp[2] += -f * iz * iz * d_first + f * o.limited[r] * iz * iz * d_last;
            if (o.inside[r]) {
                dp[r] += -f * iz * iz * d_last;
                dp[2] += f * slope * iz * iz * d_last;
            }
            const float d_pixel = d_means_2d[2 * i + r];
            dp[r] += f * iz * d_pixel;
            dp[2] += -f * slope * iz * d_pixel;
        }
        for (int j = 0; j < 3; ++j) d_mean[j] += cam.R[j] * dp[0] + cam.R[3 + j] * dp[1] + cam.R[6 + j] * dp[2];
    }
    for (int j = 0; j < 3; ++j) {
        d_means[3 * i + j] = d_mean[j];
        d_log_scales[3 * i + j] = d_log_scale[j];
    }
    for (int j = 0; j < 4; ++j) d_quaternions[4 * i + j] = d_quaternion[j];
    d_opacity_logits[i] = d_logit;
#pragma unroll
    for (int first = 0; first < 16; first += 4) {
        if (first >= coefficients) break;
        float k[12];
#pragma unroll
        for (int m = 0; m < 4; ++m)
            for (int c = 0; c < 3; ++c) k[3 * m + c] = first + m < used ? Y[first + m] * d_colour[c] : 0.0f;
        store_four(d_sh + 3ll * coefficients * i, first, coefficients, k);
    }
}
