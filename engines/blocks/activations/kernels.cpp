// Functions between the layers of networks, and whole networks of them that do not learn.
//
// softplus(x) = log(1 + exp(b x)) / b = max(x, 0) + log1p(exp(-b |x|)) / b, and its derivative, on a CPU.
//
// t = exp(-b |x|) is at least exp(-40), beyond which the sum is max(x, 0) to all digits: neither it nor its square is ever
// denormal, which would take a hundred times as long. log1p t / t on (0, 1] is a Chebyshev fit of degree 8 (2e-8).
// The same bits come with any number of threads.
//
// Plain C entry points, called through ctypes. Arrays are float32, contiguous and owned by the caller.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

#if defined(__GNUC__)
#define INLINE __attribute__((always_inline)) inline
#else
#define INLINE inline
#endif

namespace {

constexpr int64_t kBlock = 8192;       // elements that one thread works off at a time
constexpr double kFar = 40;
constexpr float kMagic = 12582912.0f;  // 1.5 * 2^23: added and taken away again, it rounds

// exp(u) of u in [-40, 0] to about 1e-7: 2^n exp(r), |r| <= ln 2 / 2.
INLINE float exponential(float u) {
    const float shifted = u * 1.44269504088896341f + kMagic, n = shifted - kMagic;
    const float r = (u - n * 0.693359375f) + n * 2.12194440e-4f;  // ln 2 in two parts
    float p = 1.0f / 5040;
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    int32_t bits;
    std::memcpy(&bits, &shifted, sizeof bits);
    bits = static_cast<int32_t>(static_cast<uint32_t>(bits + 127) << 23);  // the low bits of `shifted` are n
    float power;
    std::memcpy(&power, &bits, sizeof power);
    return p * power;
}

// `far` is 40 / b, no constant: of a constant, compilers take the exponential beforehand and choose after all the work.
INLINE float soft(float x, float b, float inverse, float far) {
    const float size = x < 0 ? -x : x, t = exponential(-b * (size > far ? far : size));
    float p = 0.005253457929939032f;
    p = p * t - 0.02958850748836994f;
    p = p * t + 0.07836166769266129f;
    p = p * t - 0.13674770295619965f;
    p = p * t + 0.19111430644989014f;
    p = p * t - 0.24844369292259216f;
    p = p * t + 0.33319270610809326f;
    p = p * t - 0.49999502301216125f;
    p = p * t + 1.0f;
    return (x > 0 ? x : 0.0f) + t * p * inverse;
}

INLINE float slope(float y, float b, float far) { return 1.0f - exponential(-b * (y > far ? far : y)); }

// ---- networks ----
//
// y = f(W x + b), layer after layer, for a few rows at a time, so that what goes from layer to layer stays in the cache.
// Weights lie in panels of 16 outputs, (panels, inputs, 16), the last one filled up with zeros; a tile of 6 rows and one
// panel is summed in registers.

constexpr int kPanel = 16, kTile = 6, kRows = 8 * kTile, kDeep = 256;
enum Between { kNothing = 0, kRelu = 1, kSoftplus = 2, kSigmoid = 3 };

struct Layer {
    const float* weights;  // of x
    const float* again;    // of the network's input, if it joins once more; else null
    const float* bias;
    int inputs, outputs, between;
};

// y = bias + W x, or y += W x where there is none, for a tile.
#if defined(__GNUC__)
typedef float Lanes __attribute__((vector_size(32), aligned(4), may_alias));

INLINE Lanes& lanes(float* at) { return *reinterpret_cast<Lanes*>(at); }
INLINE const Lanes& lanes(const float* at) { return *reinterpret_cast<const Lanes*>(at); }

INLINE void tile(const float* x, int stride, int inputs, const float* panel, const float* bias, float* y, int y_stride) {
    Lanes sums[kTile][2];
#pragma GCC unroll 6
    for (int r = 0; r < kTile; ++r) {
        const float* from = bias ? bias : y + r * y_stride;
        sums[r][0] = lanes(from);
        sums[r][1] = lanes(from + 8);
    }
    for (int k = 0; k < inputs; ++k) {
        const Lanes first = lanes(panel + kPanel * k), second = lanes(panel + kPanel * k + 8);
#pragma GCC unroll 6
        for (int r = 0; r < kTile; ++r) {
            const float value = x[r * stride + k];
            sums[r][0] += value * first;
            sums[r][1] += value * second;
        }
    }
#pragma GCC unroll 6
    for (int r = 0; r < kTile; ++r) {
        lanes(y + r * y_stride) = sums[r][0];
        lanes(y + r * y_stride + 8) = sums[r][1];
    }
}
#else
INLINE void tile(const float* x, int stride, int inputs, const float* panel, const float* bias, float* y, int y_stride) {
    for (int r = 0; r < kTile; ++r) {
        float* sums = y + r * y_stride;
        if (bias) std::memcpy(sums, bias, sizeof(float) * kPanel);
        for (int k = 0; k < inputs; ++k)
            for (int c = 0; c < kPanel; ++c) sums[c] += x[r * stride + k] * panel[kPanel * k + c];
    }
}
#endif

// The same for all rows and panels; so many inputs at a time that their part of a panel stays in the nearest cache.
INLINE void product(const float* x, int stride, int inputs, const float* weights, const float* bias, float* y, int width) {
    for (int first = 0; first < inputs; first += kDeep) {
        const int some = std::min(kDeep, inputs - first);
        for (int at = 0; at < width; at += kPanel)
            for (int row = 0; row < kRows; row += kTile)
                tile(x + row * stride + first, stride, some, weights + static_cast<int64_t>(at) * inputs + kPanel * first,
                     bias && !first ? bias + at : nullptr, y + row * width + at, width);
    }
}

INLINE void apply(int between, float* values, int count, float b) {
    const float inverse = 1 / b, far = static_cast<float>(kFar) / b;
    if (between == kRelu) {
#pragma omp simd
        for (int i = 0; i < count; ++i) values[i] = values[i] > 0 ? values[i] : 0.0f;
    } else if (between == kSoftplus) {
#pragma omp simd
        for (int i = 0; i < count; ++i) values[i] = soft(values[i], b, inverse, far);
    } else if (between == kSigmoid) {
        for (int i = 0; i < count; ++i) values[i] = 1 / (1 + std::exp(-values[i]));
    }
}

inline int padded(int outputs) { return (outputs + kPanel - 1) / kPanel * kPanel; }

// Some rows through all layers; `start` (kRows, inputs) and two places (kRows, widest) are the thread's own.
INLINE void through(const std::vector<Layer>& layers, const float* start, int inputs, float* x, float* y, float b) {
    const float* from = start;
    int stride = inputs;
    for (const Layer& layer : layers) {
        const int width = padded(layer.outputs);
        product(from, stride, layer.inputs, layer.weights, layer.bias, y, width);
        if (layer.again) product(start, inputs, inputs, layer.again, nullptr, y, width);
        apply(layer.between, y, kRows * width, b);
        from = y;
        stride = width;
        std::swap(x, y);
    }
}

// One build of the loops for each instruction set; the widest that the machine has is taken at run time. The derivative
// dy/dx = 1 / (1 + exp(-b x)) = 1 - exp(-b y) is found of what the next layer keeps anyway.
#define LOOPS(NAME, TARGET)                                                                                          \
    TARGET void forward_##NAME(const float* x, float* y, int64_t count, float b, float inverse, float far) {         \
        _Pragma("omp simd") for (int64_t i = 0; i < count; ++i) y[i] = soft(x[i], b, inverse, far);                  \
    }                                                                                                                \
    TARGET void backward_##NAME(const float* y, const float* dy, float* dx, int64_t count, float b, float far) {     \
        _Pragma("omp simd") for (int64_t i = 0; i < count; ++i) dx[i] = dy[i] * slope(y[i], b, far);                 \
    }                                                                                                                \
    TARGET void rows_##NAME(const std::vector<Layer>& layers, const float* start, int inputs, float* x, float* y,    \
                            float b) {                                                                               \
        through(layers, start, inputs, x, y, b);                                                                     \
    }

LOOPS(plain, )
#if defined(__GNUC__) && defined(__x86_64__)
LOOPS(avx2, __attribute__((target("avx2,fma"))))
LOOPS(avx512, __attribute__((target("avx512f,fma,prefer-vector-width=512"))))
const bool kAvx512 = __builtin_cpu_supports("avx512f"), kAvx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
const auto forward = kAvx512 ? forward_avx512 : kAvx2 ? forward_avx2 : forward_plain;
const auto backward = kAvx512 ? backward_avx512 : kAvx2 ? backward_avx2 : backward_plain;
const auto rows = kAvx512 ? rows_avx512 : kAvx2 ? rows_avx2 : rows_plain;
#else
const auto forward = forward_plain;
const auto backward = backward_plain;
const auto rows = rows_plain;
#endif

template <class Part>
void in_blocks(int64_t count, int threads, const Part& part) {
    const int64_t blocks = (count + kBlock - 1) / kBlock;
    if (threads <= 1 || blocks < 4) {
        part(0, count);
        return;
    }
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t block = 0; block < blocks; ++block) {
        const int64_t first = block * kBlock, left = count - first;
        part(first, left < kBlock ? left : kBlock);
    }
}

}  // namespace

extern "C" {

// y may be x.
EXPORT void softplus_forward(int64_t count, const float* x, float* y, double b, int threads) {
    const float steep = static_cast<float>(b), inverse = static_cast<float>(1 / b), far = static_cast<float>(kFar / b);
    in_blocks(count, threads, [&](int64_t at, int64_t size) { forward(x + at, y + at, size, steep, inverse, far); });
}

// dx may be dy.
EXPORT void softplus_backward(int64_t count, const float* y, const float* dy, float* dx, double b, int threads) {
    const float steep = static_cast<float>(b), far = static_cast<float>(kFar / b);
    in_blocks(count, threads, [&](int64_t at, int64_t size) { backward(y + at, dy + at, dx + at, size, steep, far); });
}

// y (count, outputs of the last layer) = network(x (count, inputs)). For each layer, `sizes` has its inputs, its outputs, what
// comes after it and whether the network's input joins once more; weights follow each other in `weights`, those of x
// first, biases in `biases`, both in whole panels.
EXPORT void network_forward(int64_t count, const float* x, float* y, int inputs, int depth, const int32_t* sizes,
                            const float* weights, const float* biases, double b, int threads) {
    std::vector<Layer> layers(depth);
    int widest = 0;
    for (int i = 0; i < depth; ++i) {
        const int32_t* of = sizes + 4 * i;
        const int width = padded(of[1]);
        const int64_t own = static_cast<int64_t>(of[0]) * width, more = of[3] ? static_cast<int64_t>(inputs) * width : 0;
        layers[i] = {weights, more ? weights + own : nullptr, biases, of[0], of[1], of[2]};
        weights += own + more;
        biases += width;
        widest = std::max(widest, width);
    }
    const int outputs = layers.back().outputs, wide = padded(outputs);
    const int64_t blocks = (count + kRows - 1) / kRows;
#pragma omp parallel num_threads(blocks < 4 ? 1 : threads)
    {
        std::vector<float> start(static_cast<int64_t>(kRows) * inputs), one(static_cast<int64_t>(kRows) * widest), two(one);
        const float* last = depth % 2 ? two.data() : one.data();
#pragma omp for schedule(dynamic, 4)
        for (int64_t block = 0; block < blocks; ++block) {
            const int64_t first = block * kRows, some = std::min<int64_t>(kRows, count - first);
            std::memcpy(start.data(), x + first * inputs, sizeof(float) * some * inputs);
            rows(layers, start.data(), inputs, one.data(), two.data(), static_cast<float>(b));
            for (int64_t r = 0; r < some; ++r)
                std::memcpy(y + (first + r) * outputs, last + r * wide, sizeof(float) * outputs);
        }
    }
}

}  // extern "C"
