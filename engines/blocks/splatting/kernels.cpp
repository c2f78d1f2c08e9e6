// Rendering of anisotropic Gaussians on a CPU, and its derivative (Kerbl et al. 2023; sheet 00).
//
// A pixel sees, front to back, alpha_i = min(0.99, o_i exp(-q_i / 2)) with q_i = a dx^2 + 2 b dx dy + c dy^2:
//
//     F = sum_i T_i alpha_i f_i,   T_{i+1} = T_i (1 - alpha_i),   A = 1 - T_end
//
// Gaussians with alpha < 1/255 are left out, and a pixel ends before T would fall below 1e-4. The image is cut into
// tiles of 16 x 16 pixels; each tile has its own list of Gaussians by depth. A row of a tile is one or two vectors.
// No atomics: the derivative of each (tile, Gaussian) pair has its own slot, and slots are summed in a fixed order, so
// the result is the same, bit for bit, with any number of threads.
//
// Plain C entry points, called through ctypes. Arrays are float32 and contiguous, owned by the caller.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

namespace {

constexpr int kTile = 16;
constexpr int kPixels = kTile * kTile;
constexpr float kLeastAlpha = 1.0f / 255.0f;
constexpr float kMostAlpha = 0.99f;
constexpr float kLeastTransmittance = 1e-4f;

#if defined(__GNUC__)
#define INLINE inline __attribute__((always_inline))
#define NEVER_INLINE __attribute__((noinline))
#elif defined(_MSC_VER)
#define INLINE inline
#define NEVER_INLINE __declspec(noinline)
#else
#define INLINE inline
#define NEVER_INLINE
#endif

struct Splats {
    int64_t count;
    const float* means;      // (N, 2) pixels
    const float* conics;     // (N, 3) a, b, c
    const float* opacities;  // (N)
    const float* features;   // (N, C)
    const float* extents;    // (N, 3) see Extent
};

struct Tiles {
    int width, height;      // of the image
    int across, down;       // tiles
    const int64_t* starts;  // (tiles + 1)
    const int32_t* ids;     // (P) Gaussians of each tile by depth
    const int64_t* slots;   // (P) where the derivatives of the pair go
};

// 2^x for -30 < x <= 0, to about 1e-7 of the value: the series of e^(f ln 2) for the part f within 1/2 of 0.
INLINE float power_of_two(float x) {
    const float y = std::max(x, -30.0f);
    const int whole = static_cast<int>(y - 0.5f);
    const float f = y - static_cast<float>(whole);
    const float e = 1.0f + f * (0.693147181f + f * (0.240226507f + f * (0.0555041087f + f * (0.00961812911f + f * (0.00133335581f + f * 0.000154035304f)))));
    return e * std::bit_cast<float>((whole + 127) << 23);
}

// exp(-q / 2) = 2^(kHalf q): the conic times this goes into the loops.
constexpr float kHalf = -0.5f * 1.44269504088896f;

// The ellipse q = reach, on which alpha falls to 1/255. Half width -1: nothing to be seen.
struct Extent {
    float reach, half_width, half_height;
};

INLINE Extent extent(const float* conic, float opacity) {
    const float a = conic[0], b = conic[1], c = conic[2];
    const float det = a * c - b * b;
    const float reach = 2.0f * std::log(255.0f * opacity);
    if (!(det > 0.0f) || !(a > 0.0f) || !(reach > 0.0f)) return {0.0f, -1.0f, -1.0f};
    return {reach, std::sqrt(reach * c / det), std::sqrt(reach * a / det)};
}

INLINE int tile_at(float pixel) { return static_cast<int>(std::floor(std::clamp(pixel / kTile, -1.0f, 1e6f))); }

struct Span {
    int begin, end;
};

// The rows of tiles that the ellipse touches. These two are never inlined: tiles are counted in one place and listed in
// another, and both must round alike.
NEVER_INLINE Span rows_touched(float mean_y, float half_height, int down) {
    return {std::max(0, tile_at(mean_y - half_height)), std::min(down - 1, tile_at(mean_y + half_height)) + 1};
}

// The tiles of one row that it touches.
NEVER_INLINE Span columns_touched(const float* mean, const float* conic, const Extent& e, int row, int across) {
    const float a = conic[0], b = conic[1], c = conic[2];
    // The ellipse is furthest right where dx = half_width, at dy = -b/c dx; rows beside that are bounded by its edge.
    const float right_dy = -b / c * e.half_width;
    const float low = static_cast<float>(row * kTile) - mean[1], high = low + kTile;
    const auto edge = [&](float dy, float side) {
        const float root = b * b * dy * dy - a * (c * dy * dy - e.reach);
        return (-b * dy + side * std::sqrt(std::max(root, 0.0f))) / a;
    };
    const float reach_low = std::max(low, -e.half_height), reach_high = std::min(high, e.half_height);
    const float right = edge(std::clamp(right_dy, reach_low, std::max(reach_low, reach_high)), 1.0f);
    const float left = edge(std::clamp(-right_dy, reach_low, std::max(reach_low, reach_high)), -1.0f);
    return {std::max(0, tile_at(mean[0] + left)), std::min(across - 1, tile_at(mean[0] + right)) + 1};
}

// Calls visit(tile) for each tile that the ellipse touches, in the order of the tiles.
template <class Visit>
INLINE void each_tile(const float* mean, const float* conic, const Extent& e, int across, int down, Visit visit) {
    const Span rows = rows_touched(mean[1], e.half_height, down);
    for (int row = rows.begin; row < rows.end; ++row) {
        const Span columns = columns_touched(mean, conic, e, row, across);
        for (int column = columns.begin; column < columns.end; ++column) visit(row * across + column);
    }
}

// The rows or columns of a tile whose centres lie within `reach` of the middle; both in pixels from the tile's first.
INLINE Span span_of(float middle, float reach) {
    const float low = middle - reach, high = middle + reach;
    return {std::max(0, static_cast<int>(std::ceil(std::max(low, -1.0f)))),
            std::min(kTile - 1, static_cast<int>(std::floor(std::min(high, 16.0f)))) + 1};
}

// C features; L columns are worked on at once, and blocks of L columns beside the ellipse are left out.
template <int C, int L>
INLINE void forward_tile(const Splats& g, const Tiles& t, int tile, float* image, float* transmittance, int32_t* last) {
    const int left = tile % t.across * kTile, top = tile / t.across * kTile;
    const int wide = std::min(kTile, t.width - left), high = std::min(kTile, t.height - top);
    // T < 0: the pixel has ended, or lies outside of the image.
    alignas(64) float T[kPixels], F[C][kPixels];
    alignas(64) int32_t seen[kPixels];
    for (int i = 0; i < kPixels; ++i) {
        T[i] = i % kTile < wide && i / kTile < high ? 1.0f : -1.0f;
        seen[i] = 0;
    }
    std::memset(F, 0, sizeof F);
    const int64_t begin = t.starts[tile], end = t.starts[tile + 1];
    for (int64_t pair = begin; pair < end; ++pair) {
        if ((pair - begin) % 16 == 0) {
            float most = -1.0f;
            for (int i = 0; i < kPixels; ++i) most = std::max(most, T[i]);
            if (most < 0.0f) break;
        }
        const int64_t id = t.ids[pair];
        const float mx = g.means[2 * id] - static_cast<float>(left) - 0.5f, my = g.means[2 * id + 1] - static_cast<float>(top) - 0.5f;
        const float a = g.conics[3 * id], b = g.conics[3 * id + 1], c = g.conics[3 * id + 2], o = g.opacities[id];
        const float half_a = kHalf * a;
        float f[C];
        for (int k = 0; k < C; ++k) f[k] = g.features[C * id + k];
        const Span rows = span_of(my, g.extents[3 * id + 2]), columns = span_of(mx, g.extents[3 * id + 1]);
        const int32_t number = static_cast<int32_t>(pair - begin) + 1;
        for (int y = rows.begin; y < rows.end; ++y) {
            const float dy = my - static_cast<float>(y);
            const float cdy = kHalf * c * dy * dy, bdy = 2.0f * kHalf * b * dy;
            for (int block = columns.begin / L * L; block < columns.end; block += L) {
                const int at = y * kTile + block;
                const float to_block = mx - static_cast<float>(block);
#pragma omp simd
                for (int x = 0; x < L; ++x) {
                    const float dx = to_block - static_cast<float>(x);
                    const float power = dx * (half_a * dx + bdy) + cdy;
                    const float alpha = std::min(kMostAlpha, o * power_of_two(std::min(power, 0.0f)));
                    const float before = T[at + x], next = before - before * alpha;
                    const bool counts = (power <= 0.0f) & (alpha >= kLeastAlpha) & (before > 0.0f);
                    const bool ends = next < kLeastTransmittance;
                    const float taken = counts & !ends ? alpha : 0.0f, weight = before * taken;
                    // Without a condition: compilers make stores under a mask of those, which some processors do slowly.
                    const uint32_t after = std::bit_cast<uint32_t>(before - weight);
                    T[at + x] = std::bit_cast<float>(after | (counts & ends ? 0x80000000u : 0u));
                    seen[at + x] = std::max(seen[at + x], counts & !ends ? number : 0);
                    for (int k = 0; k < C; ++k) F[k][at + x] += weight * f[k];
                }
            }
        }
    }
    for (int y = 0; y < high; ++y) {
        const int64_t at = static_cast<int64_t>(top + y) * t.width + left;
        const int64_t plane = static_cast<int64_t>(t.width) * t.height;
        for (int k = 0; k < C; ++k) std::memcpy(image + k * plane + at, F[k] + y * kTile, wide * sizeof(float));
        for (int x = 0; x < wide; ++x) transmittance[at + x] = std::abs(T[y * kTile + x]);
        std::memcpy(last + at, seen + y * kTile, wide * sizeof(int32_t));
    }
}

// d_pairs: (P, 6 + C): mean x, y; conic a, b, c; opacity; features.
// Every pair of the tile is written.
template <int C, int L>
INLINE void backward_tile(const Splats& g, const Tiles& t, int tile, const float* transmittance, const int32_t* last,
                          const float* d_image, const float* d_transmittance, float* d_pairs) {
    const int left = tile % t.across * kTile, top = tile / t.across * kTile;
    const int wide = std::min(kTile, t.width - left), high = std::min(kTile, t.height - top);
    const int64_t plane = static_cast<int64_t>(t.width) * t.height;
    alignas(64) float T[kPixels], S[kPixels], D[C][kPixels];
    alignas(64) int32_t seen[kPixels];
    // Sums of d_power by 1, dx, dy, dx^2, dx dy, dy^2, and of features: first down each column of a block, within which
    // dx does not change, then over blocks, then across the columns. All are 0 again when a pair is done.
    enum { k0, kX, kY, kXX, kXY, kYY, kFeatures };
    alignas(64) float sums[kFeatures + C][L] = {}, s_0[L] = {}, s_y[L] = {}, s_yy[L] = {}, s_f[C][L] = {};
    std::memset(T, 0, sizeof T);
    std::memset(S, 0, sizeof S);
    std::memset(D, 0, sizeof D);
    std::memset(seen, 0, sizeof seen);
    int32_t most = 0;
    for (int y = 0; y < high; ++y)
        for (int x = 0; x < wide; ++x) {
            const int64_t at = static_cast<int64_t>(top + y) * t.width + left + x;
            const int i = y * kTile + x;
            T[i] = transmittance[at];
            S[i] = transmittance[at] * d_transmittance[at];
            seen[i] = last[at];
            most = std::max(most, last[at]);
            for (int k = 0; k < C; ++k) D[k][i] = d_image[k * plane + at];
        }
    const int64_t begin = t.starts[tile];
    for (int64_t pair = begin + most; pair < t.starts[tile + 1]; ++pair)
        std::fill_n(d_pairs + t.slots[pair] * (6 + C), 6 + C, 0.0f);
    for (int64_t pair = begin + most - 1; pair >= begin; --pair) {
        const int64_t id = t.ids[pair];
        const float mx = g.means[2 * id] - static_cast<float>(left) - 0.5f, my = g.means[2 * id + 1] - static_cast<float>(top) - 0.5f;
        const float a = g.conics[3 * id], b = g.conics[3 * id + 1], c = g.conics[3 * id + 2], o = g.opacities[id];
        const float half_a = kHalf * a;
        float f[C];
        for (int k = 0; k < C; ++k) f[k] = g.features[C * id + k];
        const Span rows = span_of(my, g.extents[3 * id + 2]), columns = span_of(mx, g.extents[3 * id + 1]);
        const int32_t number = static_cast<int32_t>(pair - begin) + 1;
        for (int block = columns.begin / L * L; block < columns.end; block += L) {
            const float to_block = mx - static_cast<float>(block);
            for (int y = rows.begin; y < rows.end; ++y) {
                const float dy = my - static_cast<float>(y);
                const float cdy = kHalf * c * dy * dy, bdy = 2.0f * kHalf * b * dy;
                const int at = y * kTile + block;
#pragma omp simd
                for (int x = 0; x < L; ++x) {
                    const float dx = to_block - static_cast<float>(x);
                    const float power = dx * (half_a * dx + bdy) + cdy;
                    const float raw = o * power_of_two(std::min(power, 0.0f));
                    const bool counts = (power <= 0.0f) & (raw >= kLeastAlpha) & (number <= seen[at + x]);
                    const float alpha = counts ? std::min(kMostAlpha, raw) : 0.0f;
                    const float inverse = 1.0f / (1.0f - alpha);
                    const float before = T[at + x] * inverse;
                    const float weight = alpha * before;
                    float along = 0.0f;
                    for (int k = 0; k < C; ++k) {
                        along += f[k] * D[k][at + x];
                        s_f[k][x] += weight * D[k][at + x];
                    }
                    const float moving = counts & (raw <= kMostAlpha) ? raw : 0.0f;
                    const float d_power = moving * (before * along - S[at + x] * inverse), by_y = d_power * dy;
                    S[at + x] += weight * along;
                    T[at + x] = before;
                    s_0[x] += d_power;
                    s_y[x] += by_y;
                    s_yy[x] += by_y * dy;
                }
            }
#pragma omp simd
            for (int x = 0; x < L; ++x) {
                const float dx = to_block - static_cast<float>(x), by_x = s_0[x] * dx;
                sums[k0][x] += s_0[x];
                sums[kX][x] += by_x;
                sums[kY][x] += s_y[x];
                sums[kXX][x] += by_x * dx;
                sums[kXY][x] += s_y[x] * dx;
                sums[kYY][x] += s_yy[x];
                s_0[x] = s_y[x] = s_yy[x] = 0.0f;
                for (int k = 0; k < C; ++k) {
                    sums[kFeatures + k][x] += s_f[k][x];
                    s_f[k][x] = 0.0f;
                }
            }
        }
        float sum[kFeatures + C] = {};
        for (int k = 0; k < kFeatures + C; ++k)
            for (int x = 0; x < L; ++x) {
                sum[k] += sums[k][x];
                sums[k][x] = 0.0f;
            }
        float* out = d_pairs + t.slots[pair] * (6 + C);
        out[0] = -(a * sum[kX] + b * sum[kY]);
        out[1] = -(b * sum[kX] + c * sum[kY]);
        out[2] = -0.5f * sum[kXX];
        out[3] = -sum[kXY];
        out[4] = -0.5f * sum[kYY];
        out[5] = sum[k0] / o;
        for (int k = 0; k < C; ++k) out[6 + k] = sum[kFeatures + k];
    }
}

// A window of 11 weights along both axes of one plane (H, W), zeros outside.
constexpr int kWindow = 11, kReach = kWindow / 2;

INLINE void blur_plane(const float* in, float* out, int height, int width, const float* weights, float* rows) {
    std::vector<float> padded(width + 2 * kReach, 0.0f);
    for (int y = 0; y < height; ++y) {
        std::copy(in + static_cast<int64_t>(y) * width, in + static_cast<int64_t>(y + 1) * width, padded.data() + kReach);
        float* row = rows + static_cast<int64_t>(y) * width;
        const float* from = padded.data();
#pragma omp simd
        for (int x = 0; x < width; ++x) {
            float sum = 0.0f;
            for (int k = 0; k < kWindow; ++k) sum += weights[k] * from[x + k];
            row[x] = sum;
        }
    }
    for (int y = 0; y < height; ++y) {
        float* row = out + static_cast<int64_t>(y) * width;
        std::fill(row, row + width, 0.0f);
        for (int k = std::max(0, kReach - y); k < std::min(kWindow, height + kReach - y); ++k) {
            const float weight = weights[k];
            const float* from = rows + static_cast<int64_t>(y + k - kReach) * width;
#pragma omp simd
            for (int x = 0; x < width; ++x) row[x] += weight * from[x];
        }
    }
}

// One build of the loops for each instruction set; the widest that the machine has is taken at run time.
#if defined(__GNUC__) && defined(__x86_64__)
#define WIDE __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,fma,prefer-vector-width=512")))
#define AVX2 __attribute__((target("avx2,fma")))
#define HAS_WIDER 1
#else
#define HAS_WIDER 0
#endif

#define LOOPS(NAME, TARGET, L)                                                                                      \
    template <int C>                                                                                                \
    TARGET void forward_##NAME(const Splats& g, const Tiles& t, int i, float* f, float* T, int32_t* n) {            \
        forward_tile<C, L>(g, t, i, f, T, n);                                                                          \
    }                                                                                                               \
    template <int C>                                                                                                \
    TARGET void backward_##NAME(const Splats& g, const Tiles& t, int i, const float* T, const int32_t* n,           \
                                const float* df, const float* dT, float* d) {                                       \
        backward_tile<C, L>(g, t, i, T, n, df, dT, d);                                                                 \
    }                                                                                                               \
    TARGET void blur_##NAME(const float* in, float* out, int h, int w, const float* weights, float* rows) {         \
        blur_plane(in, out, h, w, weights, rows);                                                                   \
    }

LOOPS(plain, , 4)
#if HAS_WIDER
LOOPS(avx2, AVX2, 8)
LOOPS(avx512, WIDE, 16)
#endif

int vector_width() {
#if HAS_WIDER
    static const int width = [] {
        __builtin_cpu_init();
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
            __builtin_cpu_supports("avx512bw"))
            return 512;
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? 256 : 128;
    }();
    return width;
#else
    return 128;
#endif
}

int limited(int widest) { return widest > 0 ? std::min(widest, vector_width()) : vector_width(); }

template <int C>
auto forward_for(int width) {
#if HAS_WIDER
    if (width >= 512) return forward_avx512<C>;
    if (width >= 256) return forward_avx2<C>;
#endif
    (void)width;
    return forward_plain<C>;
}

template <int C>
auto backward_for(int width) {
#if HAS_WIDER
    if (width >= 512) return backward_avx512<C>;
    if (width >= 256) return backward_avx2<C>;
#endif
    (void)width;
    return backward_plain<C>;
}

auto blur_for(int width) {
#if HAS_WIDER
    if (width >= 512) return blur_avx512;
    if (width >= 256) return blur_avx2;
#endif
    (void)width;
    return blur_plain;
}

// Calls use.template operator()<C>() for the number of features. False when there is no such build.
template <class Use>
bool with_channels(int channels, Use use) {
    switch (channels) {
        case 1: use.template operator()<1>(); return true;
        case 3: use.template operator()<3>(); return true;
        case 4: use.template operator()<4>(); return true;
        case 6: use.template operator()<6>(); return true;
        case 7: use.template operator()<7>(); return true;
        default: return false;
    }
}

// Indices of the visible Gaussians, nearest first; equal depths keep their order.
std::vector<int32_t> by_depth(const float* depths, const std::vector<int32_t>& visible) {
    const size_t n = visible.size();
    std::vector<uint32_t> keys(n), other_keys(n);
    std::vector<int32_t> order(visible), other(n);
    for (size_t i = 0; i < n; ++i) keys[i] = std::bit_cast<uint32_t>(depths[visible[i]]);  // positive: bits sort as floats
    for (int shift = 0; shift < 33; shift += 11) {
        size_t starts[2049] = {};
        for (size_t i = 0; i < n; ++i) ++starts[((keys[i] >> shift) & 2047) + 1];
        for (int k = 0; k < 2048; ++k) starts[k + 1] += starts[k];
        for (size_t i = 0; i < n; ++i) {
            const size_t to = starts[(keys[i] >> shift) & 2047]++;
            other_keys[to] = keys[i];
            other[to] = order[i];
        }
        keys.swap(other_keys);
        order.swap(other);
    }
    return order;
}

// ---- projection -------------------------------------------------------------------------------------------------

struct Camera {
    float R[9], t[3];      // world to camera
    float fx, fy, cx, cy;  // pixels
    float width, height, near, blur;
    int anti_aliased;
};

constexpr float kC0 = 0.28209479177387814f, kC1 = 0.4886025119029199f;
constexpr float kC2[5] = {1.0925484305920792f, -1.0925484305920792f, 0.31539156525252005f, -1.0925484305920792f,
                          0.5462742152960396f};
constexpr float kC3[7] = {-0.5900435899266435f, 2.890611442640554f, -0.4570457994644658f, 0.3731763325901154f,
                          -0.4570457994644658f, 1.445305721320277f, -0.5900435899266435f};
constexpr float kLeastCompensation = 2.5e-5f;

// Real spherical harmonics with the Condon-Shortley phase at a unit vector, and their derivatives by x, y, z.
INLINE void harmonics(int degree, float x, float y, float z, float* Y, float (*dY)[3]) {
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
    float p[3];              // in the camera's frame
    float inverse_z, limited[2];
    bool inside[2];          // the slope was not limited
    float q[4], norm;        // unit quaternion w, x, y, z, and the length it had
    float A[9], scales[3];   // A = R(q) diag(s)
    float M[6], B[6];        // M = J W, B = M A
    float xx, xy, yy, det, det_sharp, compensation;
    float offset[3], distance;  // unit vector from the camera's centre, and how far
};

INLINE float dot3(const float* u, const float* v) { return u[0] * v[0] + u[1] * v[1] + u[2] * v[2]; }

INLINE bool finite(float x) { return (std::bit_cast<uint32_t>(x) & 0x7f800000u) != 0x7f800000u; }

// False when the Gaussian is not before the camera, or not finite.
INLINE bool project_one(const Camera& cam, const float* centre, const float* mean, const float* quaternion,
                        const float* log_scale, Projected& o) {
    for (int i = 0; i < 3; ++i) o.p[i] = dot3(cam.R + 3 * i, mean) + cam.t[i];
    bool good = finite(o.p[0]) & finite(o.p[1]) & finite(o.p[2]) & (o.p[2] > cam.near);
    for (int i = 0; i < 3; ++i) good &= finite(log_scale[i]) & (log_scale[i] < 40.0f);
    o.norm = std::sqrt(quaternion[0] * quaternion[0] + dot3(quaternion + 1, quaternion + 1));
    good &= finite(o.norm) & (o.norm > 0.0f);
    if (!good) return false;
    for (int i = 0; i < 4; ++i) o.q[i] = quaternion[i] / o.norm;
    const float w = o.q[0], x = o.q[1], y = o.q[2], z = o.q[3];
    const float R[9] = {1 - 2 * (y * y + z * z), 2 * (x * y - w * z),     2 * (x * z + w * y),
                        2 * (x * y + w * z),     1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
                        2 * (x * z - w * y),     2 * (y * z + w * x),     1 - 2 * (x * x + y * y)};
    for (int k = 0; k < 3; ++k) o.scales[k] = std::exp(log_scale[k]);
    for (int i = 0; i < 9; ++i) o.A[i] = R[i] * o.scales[i % 3];
    o.inverse_z = 1.0f / o.p[2];
    // The affine approximation fails far outside of the view: its slope is limited there.
    const float reach[2] = {0.15f * cam.width / cam.fx, 0.15f * cam.height / cam.fy};
    const float low[2] = {-cam.cx / cam.fx - reach[0], -cam.cy / cam.fy - reach[1]};
    const float high[2] = {(cam.width - cam.cx) / cam.fx + reach[0], (cam.height - cam.cy) / cam.fy + reach[1]};
    for (int i = 0; i < 2; ++i) {
        const float slope = o.p[i] * o.inverse_z;
        o.limited[i] = std::clamp(slope, low[i], high[i]);
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
    o.compensation = cam.anti_aliased ? std::sqrt(std::max(o.det_sharp / o.det, kLeastCompensation)) : 1.0f;
    for (int i = 0; i < 3; ++i) o.offset[i] = mean[i] - centre[i];
    o.distance = std::sqrt(dot3(o.offset, o.offset));
    for (int i = 0; i < 3; ++i) o.offset[i] /= std::max(o.distance, 1e-20f);
    return true;
}

INLINE float sigmoid(float x) { return 1.0f / (1.0f + std::exp(-x)); }

INLINE void centre_of(const Camera& cam, float* centre) {
    for (int k = 0; k < 3; ++k) centre[k] = -(cam.R[k] * cam.t[0] + cam.R[3 + k] * cam.t[1] + cam.R[6 + k] * cam.t[2]);
}

}  // namespace

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

extern "C" {

// Bits of a vector register that this machine offers to the loops.
EXPORT int splat_vector_width() { return vector_width(); }

// How many tiles each Gaussian touches, written to counts (N); 0 where it is not to be seen (depth <= 0 or too faint).
// Their extents (N, 3) are written too. Returns the sum of the counts.
EXPORT int64_t splat_count(int64_t n, const float* means, const float* conics, const float* opacities, const float* depths,
                    int width, int height, int32_t* counts, float* extents, int threads) {
    const int across = (width + kTile - 1) / kTile, down = (height + kTile - 1) / kTile;
    int64_t total = 0;
#pragma omp parallel for schedule(static) num_threads(threads) reduction(+ : total)
    for (int64_t i = 0; i < n; ++i) {
        int32_t count = 0;
        Extent e{0.0f, -1.0f, -1.0f};
        if (depths[i] > 0.0f) {
            e = extent(conics + 3 * i, opacities[i]);
            if (e.half_width >= 0.0f) each_tile(means + 2 * i, conics + 3 * i, e, across, down, [&](int) { ++count; });
        }
        extents[3 * i] = e.reach;
        extents[3 * i + 1] = e.half_width;
        extents[3 * i + 2] = e.half_height;
        counts[i] = count;
        total += count;
    }
    return total;
}

// Lists of the tiles: starts (tiles + 1), and for each pair its Gaussian and its slot. Slots of a Gaussian follow each
// other, in the order of the Gaussians, so that they can be summed without an index.
EXPORT void splat_bin(int64_t n, const float* means, const float* conics, const float* extents, const float* depths, int width,
               int height, const int32_t* counts, int64_t* starts, int32_t* ids, int64_t* slots, int threads) {
    const int across = (width + kTile - 1) / kTile, down = (height + kTile - 1) / kTile, tiles = across * down;
    std::vector<int32_t> visible;
    std::vector<int64_t> first(n);
    visible.reserve(n);
    int64_t sum = 0;
    for (int64_t i = 0; i < n; ++i) {
        first[i] = sum;
        sum += counts[i];
        if (counts[i]) visible.push_back(static_cast<int32_t>(i));
    }
    const std::vector<int32_t> order = by_depth(depths, visible);
    const std::unique_ptr<int32_t[]> tile_of(new int32_t[sum]);  // of each slot
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t i = 0; i < n; ++i) {
        if (!counts[i]) continue;
        const Extent e{extents[3 * i], extents[3 * i + 1], extents[3 * i + 2]};
        int32_t* to = tile_of.get() + first[i];
        each_tile(means + 2 * i, conics + 3 * i, e, across, down, [&](int tile) { *to++ = tile; });
    }
    // A counting sort by tile in parallel: each part of the order counts, then writes where the parts before it end.
    const int64_t parts = std::max(1, threads), size = static_cast<int64_t>(order.size());
    std::vector<int64_t> next(parts * tiles, 0);
    const auto visit_part = [&](int64_t part, auto visit) {
        for (int64_t k = size * part / parts; k < size * (part + 1) / parts; ++k) {
            const int32_t i = order[k];
            for (int64_t slot = first[i]; slot < first[i] + counts[i]; ++slot) visit(tile_of[slot], i, slot);
        }
    };
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int64_t part = 0; part < parts; ++part)
        visit_part(part, [&](int tile, int32_t, int64_t) { ++next[part * tiles + tile]; });
    sum = 0;
    for (int tile = 0; tile < tiles; ++tile) {
        starts[tile] = sum;
        for (int64_t part = 0; part < parts; ++part) {
            const int64_t here = next[part * tiles + tile];
            next[part * tiles + tile] = sum;
            sum += here;
        }
    }
    starts[tiles] = sum;
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int64_t part = 0; part < parts; ++part)
        visit_part(part, [&](int tile, int32_t i, int64_t slot) {
            int64_t& at = next[part * tiles + tile];
            ids[at] = i;
            slots[at++] = slot;
        });
}

// image (C, H, W), transmittance (H, W), last (H, W): how many of its tile's Gaussians a pixel saw. Returns 0, or 1 for
// a number of features without a build.
EXPORT int splat_forward(int64_t n, int channels, const float* means, const float* conics, const float* opacities,
                  const float* features, const float* extents, int width, int height, const int64_t* starts,
                  const int32_t* ids, float* image, float* transmittance, int32_t* last, int threads, int widest) {
    const Splats g{n, means, conics, opacities, features, extents};
    const int across = (width + kTile - 1) / kTile, down = (height + kTile - 1) / kTile;
    const Tiles t{width, height, across, down, starts, ids, nullptr};
    return !with_channels(channels, [&]<int C>() {
        const auto loop = forward_for<C>(limited(widest));
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
        for (int tile = 0; tile < across * down; ++tile) loop(g, t, tile, image, transmittance, last);
    });
}

// d_pairs (P, 6 + C) is room to work in. Gradients (N, 2), (N, 3), (N), (N, C) are overwritten.
EXPORT int splat_backward(int64_t n, int channels, const float* means, const float* conics, const float* opacities,
                   const float* features, const float* extents, int width, int height, const int32_t* counts,
                   const int64_t* starts, const int32_t* ids, const int64_t* slots, const float* transmittance,
                   const int32_t* last, const float* d_image, const float* d_transmittance, float* d_pairs,
                   float* d_means, float* d_conics, float* d_opacities, float* d_features, int threads, int widest) {
    const Splats g{n, means, conics, opacities, features, extents};
    const int across = (width + kTile - 1) / kTile, down = (height + kTile - 1) / kTile;
    const Tiles t{width, height, across, down, starts, ids, slots};
    const int size = 6 + channels;
    std::vector<int64_t> first(n + 1);
    for (int64_t i = 0; i < n; ++i) first[i + 1] = first[i] + counts[i];
    const bool known = with_channels(channels, [&]<int C>() {
        const auto loop = backward_for<C>(limited(widest));
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
        for (int tile = 0; tile < across * down; ++tile)
            loop(g, t, tile, transmittance, last, d_image, d_transmittance, d_pairs);
    });
    if (!known) return 1;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t i = 0; i < n; ++i) {
        float sum[16] = {};
        for (int64_t pair = first[i]; pair < first[i + 1]; ++pair)
            for (int k = 0; k < size; ++k) sum[k] += d_pairs[pair * size + k];
        std::copy(sum, sum + 2, d_means + 2 * i);
        std::copy(sum + 2, sum + 5, d_conics + 3 * i);
        d_opacities[i] = sum[5];
        std::copy(sum + 6, sum + size, d_features + static_cast<int64_t>(channels) * i);
    }
    return 0;
}

// planes (C, H, W) under a window of 11 weights along both axes, with zeros outside.
EXPORT void splat_blur(int64_t channels, const float* planes, float* blurred, int height, int width,
                       const float* weights, int threads) {
    const auto loop = blur_for(vector_width());
    const int64_t size = static_cast<int64_t>(height) * width;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (int64_t c = 0; c < channels; ++c) {
        std::vector<float> rows(size);
        loop(planes + c * size, blurred + c * size, height, width, weights, rows.data());
    }
}

// From the parameters of N Gaussians to their pictures: means (N, 2), conics (N, 3), opacities (N), colours (N, 3) and
// depths (N), 0 where there is nothing to be seen. harmonics: (N, coefficients, 3), of which (degree + 1)^2 count.
EXPORT void splat_project(int64_t n, const float* means, const float* quaternions, const float* log_scales,
                   const float* opacity_logits, const float* sh, int coefficients, int degree, const Camera* camera,
                   float* means_2d, float* conics, float* opacities, float* colours, float* depths, int threads) {
    const Camera cam = *camera;
    float centre[3];
    centre_of(cam, centre);
    const int count = (degree + 1) * (degree + 1);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t i = 0; i < n; ++i) {
        Projected o;
        float Y[16], dY[16][3];
        const bool seen = finite(opacity_logits[i]) && project_one(cam, centre, means + 3 * i, quaternions + 4 * i, log_scales + 3 * i, o);
        float *mean = means_2d + 2 * i, *conic = conics + 3 * i, *colour = colours + 3 * i;
        depths[i] = opacities[i] = 0.0f;
        std::fill(mean, mean + 2, 0.0f);
        std::fill(conic, conic + 3, 0.0f);
        std::fill(colour, colour + 3, 0.0f);
        if (!seen) continue;
        depths[i] = o.p[2];
        mean[0] = cam.fx * o.p[0] * o.inverse_z + cam.cx;
        mean[1] = cam.fy * o.p[1] * o.inverse_z + cam.cy;
        conic[0] = o.yy / o.det;
        conic[1] = -o.xy / o.det;
        conic[2] = o.xx / o.det;
        opacities[i] = sigmoid(opacity_logits[i]) * o.compensation;
        harmonics(degree, o.offset[0], o.offset[1], o.offset[2], Y, dY);
        const float* k = sh + static_cast<int64_t>(coefficients) * 3 * i;
        for (int c = 0; c < 3; ++c) {
            float sum = 0.5f;
            for (int j = 0; j < count; ++j) sum += Y[j] * k[3 * j + c];
            colour[c] = std::max(0.0f, sum);
        }
    }
}

EXPORT void splat_project_backward(int64_t n, const float* means, const float* quaternions, const float* log_scales,
                            const float* opacity_logits, const float* sh, int coefficients, int degree,
                            const Camera* camera, const float* depths, const float* d_means_2d, const float* d_conics,
                            const float* d_opacities, const float* d_colours, const float* d_depths, float* d_means,
                            float* d_quaternions, float* d_log_scales, float* d_opacity_logits, float* d_sh,
                            int threads) {
    const Camera cam = *camera;
    float centre[3];
    centre_of(cam, centre);
    const int count = (degree + 1) * (degree + 1);
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t i = 0; i < n; ++i) {
        float* to_sh = d_sh + static_cast<int64_t>(coefficients) * 3 * i;
        std::fill(d_means + 3 * i, d_means + 3 * i + 3, 0.0f);
        std::fill(d_quaternions + 4 * i, d_quaternions + 4 * i + 4, 0.0f);
        std::fill(d_log_scales + 3 * i, d_log_scales + 3 * i + 3, 0.0f);
        d_opacity_logits[i] = 0.0f;
        Projected o;
        const bool seen = depths[i] > 0.0f && project_one(cam, centre, means + 3 * i, quaternions + 4 * i, log_scales + 3 * i, o);
        std::fill(to_sh + (seen ? 3 * count : 0), to_sh + 3 * coefficients, 0.0f);
        if (!seen) continue;
        float dp[3] = {0.0f, 0.0f, d_depths[i]}, d_mean[3] = {};

        // Colour and opacity.
        float Y[16], dY[16][3], d_offset[3] = {};
        harmonics(degree, o.offset[0], o.offset[1], o.offset[2], Y, dY);
        const float* k = sh + static_cast<int64_t>(coefficients) * 3 * i;
        float d_colour[3];
        for (int c = 0; c < 3; ++c) {
            float sum = 0.5f;
            for (int j = 0; j < count; ++j) sum += Y[j] * k[3 * j + c];
            d_colour[c] = sum > 0.0f ? d_colours[3 * i + c] : 0.0f;
        }
        for (int j = 0; j < count; ++j) {
            const float by_basis = dot3(d_colour, k + 3 * j);
            for (int c = 0; c < 3; ++c) to_sh[3 * j + c] = Y[j] * d_colour[c];
            for (int axis = 0; axis < 3; ++axis) d_offset[axis] += by_basis * dY[j][axis];
        }
        const float radial = dot3(d_offset, o.offset);
        for (int a = 0; a < 3; ++a) d_mean[a] += (d_offset[a] - radial * o.offset[a]) / std::max(o.distance, 1e-20f);
        const float opacity = sigmoid(opacity_logits[i]);
        d_opacity_logits[i] = d_opacities[i] * o.compensation * opacity * (1.0f - opacity);

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
            d_log_scales[3 * i + j] = dA[j] * o.A[j] + dA[3 + j] * o.A[3 + j] + dA[6 + j] * o.A[6 + j];
            for (int r = 0; r < 3; ++r) dA[3 * r + j] *= o.scales[j];  // now by R
        }
        const float w = o.q[0], x = o.q[1], y = o.q[2], z = o.q[3];
        const float* g = dA;
        float dq[4] = {2 * (x * (g[7] - g[5]) + y * (g[2] - g[6]) + z * (g[3] - g[1])),
                       2 * (y * (g[1] + g[3]) + z * (g[2] + g[6]) + w * (g[7] - g[5]) - 2 * x * (g[4] + g[8])),
                       2 * (x * (g[1] + g[3]) + z * (g[5] + g[7]) + w * (g[2] - g[6]) - 2 * y * (g[0] + g[8])),
                       2 * (x * (g[2] + g[6]) + y * (g[5] + g[7]) + w * (g[3] - g[1]) - 2 * z * (g[0] + g[4]))};
        const float along_q = o.q[0] * dq[0] + dot3(o.q + 1, dq + 1);
        for (int j = 0; j < 4; ++j) d_quaternions[4 * i + j] = (dq[j] - along_q * o.q[j]) / o.norm;

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
        for (int j = 0; j < 3; ++j)
            d_means[3 * i + j] = d_mean[j] + cam.R[j] * dp[0] + cam.R[3 + j] * dp[1] + cam.R[6 + j] * dp[2];
    }
}

}  // extern "C"
